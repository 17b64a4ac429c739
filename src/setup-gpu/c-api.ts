/**
 * The part of TensorFlow's C API that the binding in @tensorflow/tfjs-node-gpu 4.22.0 calls: its undefined symbols that
 * begin with TF_ and TFE_ (`nm -D --undefined-only tfjs_binding.node`). TensorFlow 2.9 to 2.21 have them all.
 */

const TENSORFLOW = `
  AllocateTensor DataTypeSize DeleteBuffer DeleteDeviceList DeleteGraph DeleteSession DeleteSessionOptions DeleteStatus
  DeleteTensor DeviceListCount DeviceListName DeviceListType Dim GetCode GraphOperationByName LoadSessionFromSavedModel
  Message NewBuffer NewBufferFromString NewGraph NewSessionOptions NewStatus NewTensor NumDims SessionRun TensorByteSize
  TensorData TensorElementCount TensorType Version`;

const EAGER = `
  ContextListDevices DeleteContext DeleteContextOptions DeleteOp DeleteTensorHandle Execute NewContext
  NewContextOptions NewOp NewTensorHandle OpAddInput OpSetAttrBool OpSetAttrBoolList OpSetAttrFloat OpSetAttrFloatList
  OpSetAttrInt OpSetAttrIntList OpSetAttrShape OpSetAttrString OpSetAttrType TensorHandleCopyToDevice
  TensorHandleDataType TensorHandleDim TensorHandleNumDims TensorHandleResolve`;

/** Their names, as a library must export them. */
export const C_API_SYMBOLS: readonly string[] = [...prefixed("TF_", TENSORFLOW), ...prefixed("TFE_", EAGER)];

function prefixed(prefix: string, names: string): string[] {
  return names
    .trim()
    .split(/\s+/)
    .map((name) => prefix + name);
}

/** What the binding calls and none of the libraries has. */
export function missingSymbols(exported: Iterable<string>): string[] {
  const present = new Set(exported);
  return C_API_SYMBOLS.filter((name) => !present.has(name));
}
