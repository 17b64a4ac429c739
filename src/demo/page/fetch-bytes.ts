import { LockstepError, messageOf } from "../../shared/errors.ts";

/**
 * What is at an address.
 *
 * @throws LockstepError `failed` when it cannot be had
 */
export async function fetchBytes(address: string): Promise<ArrayBuffer> {
  try {
    const response = await fetch(address);
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    return await response.arrayBuffer();
  } catch (thrown) {
    const message = `cannot fetch ${address} (${messageOf(thrown)}): see that lockstep demo is running, then reload`;
    throw new LockstepError("failed", message, { cause: thrown });
  }
}
