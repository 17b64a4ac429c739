import { MappingType } from "@grafana/grafana-foundation-sdk/dashboard";
import { dashboard } from "./dashboard.ts";
import type { Section } from "./grid.ts";
import { graph, stat } from "./panels.ts";
import { RUN } from "./promql.ts";
import { SECONDS_LEFT, trainingProgress } from "./training-progress.ts";

/** *Training*: does it learn, and how far is it? */
export function trainingDashboard(): object {
  return dashboard({
    uid: "lockstep-training",
    title: "lockstep: Training",
    description: "Does it learn, and how far is it?",
    sections: [overview(), learning(), trainingProgress()],
  });
}

function overview(): Section {
  return {
    title: "At a glance",
    lines: [
      {
        height: 4,
        panels: [
          stat({
            title: "State",
            description: "Whether the run goes on. The endpoint ends with the run: nobody answers then.",
            now: true,
            noValue: "nobody answers",
            unit: "none",
            queries: [{ expr: `lockstep_run_finished{${RUN}}`, legend: "state" }],
            mappings: [
              {
                type: MappingType.ValueToText,
                options: { 0: { text: "under way", color: "blue" }, 1: { text: "finished", color: "green" } },
              },
            ],
            thresholds: [{ value: null, color: "blue" }],
          }),
          stat({
            title: "Progress",
            description: "Steps done, of all steps of the run; those before a resume count.",
            unit: "percentunit",
            decimals: 1,
            queries: [{ expr: `lockstep_step{${RUN}} / lockstep_run_steps{${RUN}}`, legend: "progress" }],
          }),
          stat({
            title: "Epoch",
            description: "The epoch under way, and how many the run has.",
            unit: "none",
            decimals: 0,
            named: true,
            queries: [
              { expr: `lockstep_epoch{${RUN}}`, legend: "now" },
              { expr: `lockstep_epochs{${RUN}}`, legend: "of" },
            ],
          }),
          stat({
            title: "Time left",
            now: true,
            description:
              "Steps left at the pace of the last five minutes, or since the start where that is less; evaluation included. " +
              "Empty while no step is taken.",
            unit: "s",
            decimals: 1,
            queries: [{ expr: SECONDS_LEFT, legend: "time left" }],
          }),
          stat({
            title: "Test accuracy",
            description: "On the test set, in the last evaluation.",
            unit: "percentunit",
            decimals: 2,
            queries: [{ expr: `lockstep_test_accuracy_ratio{${RUN}}`, legend: "test accuracy" }],
          }),
          stat({
            title: "Samples lost or repeated",
            description:
              "Samples that did not count exactly once in their epoch. Anything but 0 is a fault of lockstep itself.",
            unit: "short",
            decimals: 0,
            queries: [
              {
                expr: `lockstep_samples_lost_total{${RUN}} + lockstep_samples_repeated_total{${RUN}}`,
                legend: "lost or repeated",
              },
            ],
            thresholds: [
              { value: null, color: "green" },
              { value: 1, color: "red" },
            ],
          }),
        ],
      },
    ],
  };
}

function learning(): Section {
  return {
    title: "Does it learn?",
    lines: [
      {
        height: 9,
        panels: [
          graph({
            title: "Loss",
            description:
              "Mean cross-entropy in nats: of single steps as they were seen, their mean over a minute, and of whole " +
              "epochs. It should fall, fast at first. Steps spread widely with small batches.",
            unit: "short",
            min: 0,
            queries: [
              { expr: `lockstep_loss{${RUN}}`, legend: "step" },
              { expr: `avg_over_time(lockstep_loss{${RUN}}[1m])`, legend: "mean of a minute" },
              { expr: `lockstep_train_loss{${RUN}}`, legend: "epoch" },
            ],
            colours: { step: "light-blue", "mean of a minute": "blue", epoch: "orange" },
          }),
          graph({
            title: "Accuracy",
            description:
              "Share classified correctly, by epoch: training samples as each one's turn came, and with the averaged weights " +
              "the test set and the images held out for validation, if there are any. Train far above these means overfitting.",
            unit: "percentunit",
            max: 1,
            queries: [
              { expr: `lockstep_train_accuracy_ratio{${RUN}}`, legend: "train" },
              { expr: `lockstep_validation_accuracy_ratio{${RUN}}`, legend: "validation" },
              { expr: `lockstep_test_accuracy_ratio{${RUN}}`, legend: "test" },
            ],
            colours: { train: "blue", validation: "orange", test: "green" },
          }),
        ],
      },
      {
        height: 7,
        panels: [
          graph({
            title: "Learning rate",
            description: "Of the last step, as the schedule has it.",
            unit: "sci",
            min: 0,
            queries: [{ expr: `lockstep_learning_rate{${RUN}}`, legend: "learning rate" }],
          }),
          graph({
            title: "Gradient norm",
            description:
              "Over all weights, before clipping, of steps for which it was computed. A norm that grows by tens announces " +
              "divergence: lower the learning rate, or clip.",
            unit: "short",
            min: 0,
            queries: [{ expr: `lockstep_gradient_norm{${RUN}}`, legend: "gradient norm" }],
          }),
          graph({
            title: "Gradients that were not finite",
            description: "Computed again each; twice for the same step ends the run. There should be none.",
            unit: "short",
            min: 0,
            decimals: 0,
            bars: true,
            queries: [
              { expr: `increase(lockstep_gradients_not_finite_total{${RUN}}[$__rate_interval])`, legend: "not finite" },
            ],
            colours: { "not finite": "red" },
          }),
        ],
      },
    ],
  };
}
