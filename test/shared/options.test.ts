import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { addExamples, addOptions, parseArguments } from "../../src/shared/options.ts";

/** Runs a command line; gives the flags that its action got, what was printed, and the message of a usage error. */
async function run(...argv: string[]) {
  const seen: { flags?: Record<string, unknown>; printed: string; error?: string } = { printed: "" };
  const program = new Command("lockstep").version("1.2.3").configureOutput({
    writeOut: (text) => (seen.printed += text),
    getOutHelpWidth: () => 200,
  });
  for (const name of ["train", "eval"] as const) {
    const command = program.command(name).copyInheritedSettings(program);
    addExamples(addOptions(command, name), [[`lockstep ${name} --json`, "prints JSON"]]);
    command.action((flags: Record<string, unknown>) => {
      seen.flags = flags;
    });
  }
  try {
    await parseArguments(program, argv);
  } catch (error) {
    expect(error).toMatchObject({ name: "LockstepError", code: "usage" });
    seen.error = String(error);
  }
  return seen;
}

test("flags arrive by key, as text, and only those that were given", async () => {
  const { flags } = await run("train", "--batch-size", "128", "--lr=-1", "--json", "--no-augment");
  expect(flags).toEqual({ batchSize: "128", lr: "-1", json: true, augment: false });
});

test("--config is an option of every command", async () => {
  expect((await run("eval", "--config", "a.json")).flags).toEqual({ config: "a.json" });
});

describe("help", () => {
  test("shows groups, allowed values, defaults, recipes, the environment and examples", async () => {
    const { printed, flags } = await run("train", "--help");
    expect(flags).toBeUndefined();
    expect(printed).toMatch(/^Training:\n +--recipe <name> .*\(seed, fast or best; default: seed\)$/m);
    expect(printed).toMatch(/^ +--epochs <N> .*\(1 to 10000; default: 10, fast 1, best 15\)$/m);
    expect(printed).toMatch(/^ +--workers <N\|auto> .*\(1 to 256; default: auto\)$/m);
    expect(printed).toMatch(/^Checkpoints:\n +--resume .*\(--no-resume turns it off\)$/m);
    expect(printed).toMatch(/^ +--checkpoint-every <STEPS> .*\(0 to 1000000000; default: 0\)$/m);
    expect(printed).toMatch(/^ +--augment .*\(--no-augment turns it off\)$/m);
    expect(printed).not.toMatch(/^ +--no-/m);
    expect(printed.match(/LOCKSTEP_/g)).toHaveLength(1);
    expect(printed).toContain("Examples:\n  lockstep train --json\n      prints JSON");
  });

  test("of the program lists the commands", async () => {
    expect((await run("--help")).printed).toContain("eval [options]");
    expect((await run("--version")).printed).toBe("1.2.3\n");
  });
});

test.each([
  [["train", "--epoch", "3"], "unknown option '--epoch' (did you mean --epochs?); see lockstep train --help"],
  [["train", "--epochs"], "option '--epochs <N>' argument missing; see lockstep train --help"],
  [["train", "now"], "unexpected argument 'now'; see lockstep train --help"],
  [["tran"], "unknown command 'tran' (did you mean train?); see lockstep --help"],
  [["--bogus"], "unknown option '--bogus'; see lockstep --help"],
  [[], "name a command: train, eval; see lockstep --help"],
])("%j is refused in one sentence", async (argv, message) => {
  expect((await run(...argv)).error).toBe(`LockstepError: ${message}`);
});
