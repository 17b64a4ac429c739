#!/usr/bin/env node
import { Command } from "commander";
import { commandLog, textCommandLog } from "./command-log.ts";
import { collectGarbageRarely } from "./garbage-collection.ts";
import { loadConfig, strangeVariables } from "./shared/config-sources.ts";
import type { CommandConfig, CommandName } from "./shared/config.ts";
import { LockstepError } from "./shared/errors.ts";
import { addExamples, addOptions, givenValues, parseArguments } from "./shared/options.ts";
import { VERSION } from "./version.ts";

/** The `lockstep` command. Each command's code is loaded when it is called, so that `--help` answers at once. */

type Run<Name extends CommandName> = (config: CommandConfig<Name>) => Promise<number>;

let log = textCommandLog(process.stderr);

const program = new Command("lockstep")
  .description("Trains LeNet-5 on MNIST with any number of workers, to the same weights, bit for bit.")
  .version(VERSION, "-V, --version", "print the version");

function addCommand<Name extends CommandName>(
  name: Name,
  description: string,
  load: () => Promise<Run<Name>>,
  examples: readonly (readonly [line: string, what: string])[],
): void {
  const command = addOptions(program.command(name).description(description), name);
  addExamples(command, examples).action(async () => {
    const config = loadConfig(name, givenValues(command, name), process.env);
    log = commandLog({ command: name, config, stderr: process.stderr });
    for (const strange of strangeVariables(process.env)) log.warn(strange);
    const run = await load();
    process.exitCode = await run(config);
  });
}

addCommand(
  "train",
  "Train on this machine: a coordinator and workers, started, watched and ended for you.",
  async () => (await import("./commands/training.ts")).trainCommand,
  [
    ["lockstep train", "the reference recipe: 10 epochs of MNIST, about 99.3 %"],
    ["lockstep train --recipe best --workers 2", "15 epochs with distorted images, about 99.5 %"],
    ["lockstep train --data ~/fashion-mnist --epochs 15", "other images in the same format"],
    ["lockstep train --json | tail -n 1 | jq .weightsSha256", "for scripts"],
  ],
);
addCommand(
  "coordinator",
  "Coordinate workers on any machines; they join with `lockstep worker`.",
  async () => (await import("./commands/training.ts")).coordinatorCommand,
  [
    ["lockstep coordinator", "listen on this machine only, port 5555"],
    ["lockstep coordinator --listen tcp://127.0.0.1:* --min-workers 2", "a free port; begin when two have joined"],
  ],
);
addCommand(
  "worker",
  "Compute for a coordinator, from now until its run ends. May join and leave at any time.",
  async () => (await import("./commands/worker.ts")).workerCommand,
  [["lockstep worker --connect tcp://10.0.0.1:5555", "the coordinator's address as it printed it"]],
);
addCommand(
  "relay",
  "Stand between a coordinator and many workers: add up what they compute, pass on one sum.",
  async () => (await import("./commands/relay.ts")).relayCommand,
  [
    [
      "lockstep relay --connect tcp://10.0.0.1:5555 --listen tcp://127.0.0.1:5556",
      "workers connect to it as to a coordinator",
    ],
  ],
);
addCommand(
  "keygen",
  "Make keys, so that only workers of yours can join, and nobody can listen in.",
  async () => (await import("./commands/keygen.ts")).keygenCommand,
  [
    ["lockstep keygen", "a set for a coordinator and its workers, in keys/"],
    ["lockstep keygen --name gpu-7", "a key for one worker of its own, to be added to keys/workers.allow"],
  ],
);
addCommand(
  "eval",
  "Measure a checkpoint's accuracy on the test images.",
  async () => (await import("./commands/eval.ts")).evalCommand,
  [["lockstep eval --checkpoint runs/mine/checkpoints/step-009380.safetensors", "the file that training printed"]],
);
addCommand(
  "export",
  "Write a trained model for other programs: PyTorch, TensorFlow.js, ONNX runtimes.",
  async () => (await import("./commands/export.ts")).exportCommand,
  [
    ["lockstep export --checkpoint runs/mine/checkpoints/best --format onnx", "writes lenet5.onnx"],
    [
      "lockstep export --checkpoint runs/mine/checkpoints/best --format tfjs --out public/digits --with-preprocessing",
      "for a web page that has pixels",
    ],
  ],
);
addCommand(
  "predict",
  "Say which class images show, with a checkpoint's weights.",
  async () => (await import("./commands/predict.ts")).predictCommand,
  [
    ["lockstep predict digit.png", "with the best weights of the newest run in runs/"],
    ["lockstep predict --checkpoint runs/mine/checkpoints/best scans/*.jpg", "a line for each image"],
    ["curl -s https://example.org/7.png | lockstep predict - --json | jq .class", "for scripts"],
  ],
);
addCommand(
  "demo",
  "Serve a page on which one draws a digit, and sees what the network makes of it.",
  async () => (await import("./commands/demo.ts")).demoCommand,
  [
    ["lockstep demo", "with the best weights of the newest run in runs/"],
    ["lockstep demo --checkpoint runs/mine/checkpoints/best --port 9000", "with others, on another port"],
  ],
);
addCommand(
  "report",
  "Make the report of a run anew: report.html in the run's folder.",
  async () => (await import("./commands/report.ts")).reportCommand,
  [
    ["lockstep report --run-dir runs/mine", "of a run that has ended, was interrupted, or was killed"],
    ["lockstep report --run-dir runs/mine --data ~/fashion-mnist", "where the data lie elsewhere than they did"],
  ],
);
addCommand(
  "compare",
  "Compare runs: what they were started with, what came of it, and how far seeds differ.",
  async () => (await import("./commands/compare.ts")).compareCommand,
  [
    ["lockstep compare runs/*", "all runs there, the best first"],
    ["lockstep compare runs/a runs/b --html compare.html", "their curves over each other, as a page"],
    ["lockstep compare runs/* --json | tail -n 1 | jq '.groups[0].testAccuracy'", "for scripts"],
  ],
);
addCommand(
  "verify-resume",
  "Train twice, once with interruptions, and compare the weights bit for bit.",
  async () => (await import("./commands/verify-resume.ts")).verifyResumeCommand,
  [
    ["lockstep verify-resume --epochs 1", "interrupts one epoch four times"],
    ["lockstep verify-resume --recipe best --interruptions 10", "with your own settings, before a long run"],
  ],
);
addCommand(
  "doctor",
  "Check that this machine can train, and say what to do where it cannot.",
  async () => (await import("./commands/doctor.ts")).doctorCommand,
  [["lockstep doctor", "before you begin"]],
);
addCommand(
  "bench",
  "Measure how fast this machine trains, and where the time goes.",
  async () => (await import("./commands/bench.ts")).benchCommand,
  [
    ["lockstep bench", "everything, in some minutes; close other programs first"],
    ["lockstep bench --only engine,step --rounds 9", "one core's speed, with more rounds"],
    ["lockstep bench --only memory --soak-steps 100000", "whether memory stays flat in a long run"],
    ["lockstep bench --json | tail -n 1 | jq .suites", "for scripts"],
  ],
);
addCommand(
  "replay",
  "Replay the recorded events of a run, and check that the coordinator decides the same again.",
  async () => (await import("./commands/replay.ts")).replayCommand,
  [
    ["lockstep train --record-events events.ndjson", "records a run"],
    ["lockstep replay --events events.ndjson | less", "everything that happened, and what was decided"],
    ["lockstep replay --events events.ndjson --quiet", "only whether all is decided as it was then"],
  ],
);

collectGarbageRarely();
try {
  await parseArguments(program, process.argv.slice(2));
} catch (thrown) {
  log.fail(thrown);
  process.exitCode = thrown instanceof LockstepError ? thrown.exitCode : 1;
}
// Sockets linger for a moment to deliver their last messages; nothing else may keep the process alive.
process.stdout.write("", () => process.exit());
