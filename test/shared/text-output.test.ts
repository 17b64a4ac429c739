import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { TextOutput } from "../../src/shared/text-output.ts";

class Pipe extends EventEmitter {
  written: string[] = [];

  write(text: string): boolean {
    this.written.push(text);
    return true;
  }
}

test("drops everything after the stream failed, for every output on it", () => {
  const pipe = new Pipe();
  const [first, second] = [new TextOutput(pipe), new TextOutput(pipe)];
  first.line("a");
  pipe.emit("error", new Error("write EPIPE"));
  first.line("b");
  second.line("c");
  expect(pipe.written).toEqual(["a\n"]);
  expect(pipe.listenerCount("error")).toBe(1);
});
