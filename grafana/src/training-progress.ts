import type { Section } from "./grid.ts";
import { graph, stat, table } from "./panels.ts";
import { RUN, rate } from "./promql.ts";

/** Absent while no step is taken; recorded by Prometheus. */
export const SECONDS_LEFT = `run:seconds_left{${RUN}}`;

/** How far the run is, and what it was told to do. */
export function trainingProgress(): Section {
  return {
    title: "How far is it?",
    lines: [
      {
        height: 7,
        panels: [
          graph({
            title: "Steps",
            description:
              "Done, those before a resume included; safe in a checkpoint; and of the whole run. A flat line means that it stands still.",
            unit: "short",
            min: 0,
            queries: [
              { expr: `lockstep_step{${RUN}}`, legend: "done" },
              { expr: `lockstep_checkpoint_step{${RUN}}`, legend: "safe" },
              { expr: `lockstep_run_steps{${RUN}}`, legend: "of the run" },
            ],
            colours: { done: "blue", safe: "green", "of the run": "text" },
          }),
          graph({
            title: "Samples of the epoch that counted",
            description:
              "Each sample counts once: it climbs to the size of the training set in every epoch, and starts again.",
            unit: "short",
            min: 0,
            queries: [{ expr: `lockstep_epoch_samples_counted{${RUN}}`, legend: "counted" }],
          }),
          graph({
            title: "Steps a second",
            description: "Evaluation and pauses included.",
            unit: "short",
            min: 0,
            queries: [{ expr: rate("lockstep_steps_total"), legend: "steps a second" }],
          }),
          graph({
            title: "Time left",
            description: "At the pace of the five minutes before, or since the start where that is less.",
            unit: "s",
            min: 0,
            queries: [{ expr: SECONDS_LEFT, legend: "time left" }],
          }),
        ],
      },
      {
        height: 4,
        widths: [16, 8],
        panels: [
          table({
            title: "Settings",
            description: "What decides the weights, and since when it runs.",
            queries: [
              `sum by (run, recipe, seed, epochs, batch_size, shard_size, schedule, augment) (lockstep_run_info{${RUN}})`,
              `1000 * max by (run) (lockstep_run_start_timestamp_seconds{${RUN}})`,
            ],
            columns: [
              { of: "run", title: "run" },
              { of: "B", title: "started", unit: "dateTimeAsIso" },
              { of: "recipe", title: "recipe" },
              { of: "seed", title: "seed" },
              { of: "epochs", title: "epochs" },
              { of: "batch_size", title: "batch" },
              { of: "shard_size", title: "shard" },
              { of: "schedule", title: "schedule" },
              { of: "augment", title: "distorted" },
            ],
          }),
          stat({
            title: "Counted so far",
            description:
              "Since the process started: epochs in which every sample counted exactly once, and training samples.",
            unit: "short",
            named: true,
            queries: [
              { expr: `lockstep_epochs_covered_total{${RUN}}`, legend: "epochs" },
              { expr: `lockstep_samples_total{${RUN}}`, legend: "samples" },
            ],
          }),
        ],
      },
    ],
  };
}
