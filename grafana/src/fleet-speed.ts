import type { Section } from "./grid.ts";
import { graph } from "./panels.ts";
import { NOT_GONE, quantile, RUN, rate, WORKER_TIME } from "./promql.ts";

/** The share of their time in which all workers together compute or make inputs; recorded by Prometheus. */
export const EFFICIENCY = `run:busy_share:rate1m{${RUN}}`;

/** Blue and green is work, orange and red is waiting. */
const PHASE_COLOURS = { compute: "green", gather: "blue", wait: "orange", wire: "red" };

/** How fast it is, where the time goes, and what is sent. */
export function fleetSpeed(): Section[] {
  return [
    { title: "Is it fast?", lines: [{ height: 8, panels: [samples(), efficiency(), stepTime()] }] },
    {
      title: "Where does the time go?",
      lines: [
        { height: 8, panels: [workerTime(), workerPhases()] },
        { height: 8, panels: [coordinatorTime(), coordinatorPhases()] },
      ],
    },
    { title: "Exchange", lines: [{ height: 8, panels: [bytes(), bytesByType(), messages()] }] },
  ];
}

const samples = () =>
  graph({
    title: "Images a second",
    description: "While training, evaluation left out; and of all that passes, evaluation and pauses included.",
    unit: "short",
    min: 0,
    queries: [
      { expr: `lockstep_samples_per_second{${RUN}}`, legend: "while training" },
      { expr: rate("lockstep_samples_total"), legend: "overall" },
    ],
    colours: { "while training": "blue", overall: "light-blue" },
  });

const efficiency = () =>
  graph({
    title: "Scaling efficiency",
    description:
      "Computing and making inputs, of all the workers' time. The rest is waiting: for messages, for the coordinator or for " +
      "slower workers. Larger batches raise it, and are another training.",
    unit: "percentunit",
    min: 0,
    max: 1,
    queries: [{ expr: EFFICIENCY, legend: "efficiency" }],
    colours: { efficiency: "green" },
  });

const stepTime = () =>
  graph({
    title: "Time of a step",
    description:
      "From its first assignment to its new weights: half of the steps, nine tenths and all but one in a hundred.",
    unit: "s",
    min: 0,
    queries: [0.5, 0.9, 0.99].map((q) => ({
      expr: quantile(q, "lockstep_step_duration_seconds"),
      legend: `p${100 * q}`,
    })),
    colours: { p50: "green", p90: "orange", p99: "red" },
  });

const workerTime = () =>
  graph({
    title: "Workers' time by phase",
    description:
      "Of all workers together: 1 is a worker that does nothing else. wait: until all is there that a step needs; " +
      "gather: making inputs; compute: engine and sums.",
    unit: "short",
    min: 0,
    stacked: true,
    queries: [
      {
        expr: `sum by (phase) (${rate("lockstep_worker_phase_seconds_total", `${RUN}, ${NOT_GONE}, ${WORKER_TIME}`)})`,
        legend: "{{phase}}",
      },
    ],
    colours: PHASE_COLOURS,
  });

const workerPhases = () =>
  graph({
    title: "Workers' phases within a step, p95",
    description:
      "Of a worker in a step, over all workers. wire: messages on their way, queues included, as the coordinator sees it; " +
      "it overlaps with wait.",
    unit: "s",
    min: 0,
    queries: [{ expr: quantile(0.95, "lockstep_worker_phase_duration_seconds", ["phase"]), legend: "{{phase}}" }],
    colours: PHASE_COLOURS,
  });

const coordinatorTime = () =>
  graph({
    title: "Coordinator's time by phase",
    description:
      "Seconds a second: near 1 it is the bottleneck. decide: reading messages and deciding; reduce: adding up; adam: " +
      "new weights; send: writing messages.",
    unit: "percentunit",
    min: 0,
    stacked: true,
    queries: [{ expr: `sum by (phase) (${rate("lockstep_coordinator_phase_seconds_total")})`, legend: "{{phase}}" }],
  });

const coordinatorPhases = () =>
  graph({
    title: "Coordinator's phases within a step, p95",
    description:
      "In the tail, from the last result to the new weights, all workers wait; most of the rest is done while they compute.",
    unit: "s",
    min: 0,
    queries: [{ expr: quantile(0.95, "lockstep_coordinator_phase_duration_seconds", ["phase"]), legend: "{{phase}}" }],
    colours: { tail: "red" },
  });

const bytes = () =>
  graph({
    title: "Bytes each way",
    description: "As the coordinator sees it: sent to workers above the line, received from them below.",
    unit: "Bps",
    queries: [
      { expr: `sum(${rate("lockstep_message_bytes_total", `${RUN}, direction="sent"`)})`, legend: "sent" },
      { expr: `-sum(${rate("lockstep_message_bytes_total", `${RUN}, direction="received"`)})`, legend: "received" },
    ],
    colours: { sent: "blue", received: "green" },
  });

const bytesByType = () =>
  graph({
    title: "Bytes by type of message",
    description: "Weights and assignments to the workers, results from them; both ways together.",
    unit: "Bps",
    min: 0,
    stacked: true,
    queries: [{ expr: `sum by (type) (${rate("lockstep_message_bytes_total")})`, legend: "{{type}}" }],
  });

const messages = () =>
  graph({
    title: "Messages a second",
    description: "By type, both ways together.",
    unit: "short",
    min: 0,
    queries: [{ expr: `sum by (type) (${rate("lockstep_messages_total")})`, legend: "{{type}}" }],
  });
