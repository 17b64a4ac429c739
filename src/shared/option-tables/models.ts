/** Options about trained models: tested, exported, asked. */

import { integer, oneOf, pathArguments, text, toggle } from "../config-values.ts";

export const checkpoint = {
  checkpoint: text("FILE", "the path of a checkpoint (.safetensors)").describe("the checkpoint to evaluate (required)"),
};

export const trained = {
  checkpoint: text("FILE", "the path of a checkpoint (.safetensors)").describe("the checkpoint to export (required)"),
};

export const exported = {
  format: oneOf(["safetensors", "tfjs", "onnx"]).describe(
    "whom it is for: safetensors are the weights alone, for PyTorch and others, tfjs is a model for TensorFlow.js, " +
      "onnx one for ONNX runtimes (required)",
  ),
  out: text("PATH", "the path of a file to write, of a folder for tfjs")
    .exactOptional()
    .describe("where the model goes; lenet5.safetensors, lenet5-tfjs/ or lenet5.onnx if not given"),
  force: toggle().default(false).describe("replace a model that is there"),
  foldBatchNorm: toggle()
    .default(false)
    .describe("leave batch normalisation out: the convolutions do its work as well"),
  withPreprocessing: toggle()
    .default(false)
    .describe("the model takes pixels of 28x28 images, and resizes and normalises them itself; not for safetensors"),
};

export const predicted = {
  images: pathArguments("IMAGE", "image files: PNG, JPEG, PGM or IDX; - for one that is piped in").describe(
    "PNG, JPEG and PGM files of any size, IDX files as data sets have them; - reads one image from stdin",
  ),
  checkpoint: text("FILE", "the path of a checkpoint (.safetensors)")
    .exactOptional()
    .describe("the weights to predict with; the best of the newest run in runs/ if not given"),
  data: text("DIR", "a folder")
    .exactOptional()
    .describe("folder with classes.txt, which names the classes; that of the run's data if not given"),
};

export const demonstrated = {
  checkpoint: text("FILE", "the path of a checkpoint (.safetensors)")
    .exactOptional()
    .describe("the weights to show; the best of the newest run in runs/ if not given"),
  data: text("DIR", "a folder with the four MNIST IDX files")
    .exactOptional()
    .describe("folder with test images to try and classes.txt; that of the run's data if not given"),
};

export const demoAddress = {
  port: integer(0, 65_535)
    .exactOptional()
    .describe("port of the page; 8080 if not given, or a free one where that is taken; 0 takes a free one"),
  host: text("HOST", "a host name or address of this machine")
    .default("127.0.0.1")
    .describe("address that the page is served on"),
};

export const preparation = {
  invert: oneOf(["auto", "yes", "no"])
    .default("auto")
    .describe("exchange dark and light; auto: where the ink is darker than the picture's edge"),
  fit: oneOf(["auto", "yes", "no"])
    .default("auto")
    .describe("cut the ink out, scale and centre it as in MNIST; auto: unless the picture has 28x28 pixels"),
};
