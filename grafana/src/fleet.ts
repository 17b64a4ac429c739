import { dashboard } from "./dashboard.ts";
import { fleetProcesses } from "./fleet-processes.ts";
import { EFFICIENCY, fleetSpeed } from "./fleet-speed.ts";
import { fleetWorkers } from "./fleet-workers.ts";
import type { Section } from "./grid.ts";
import { stat } from "./panels.ts";
import { quantile, RUN } from "./promql.ts";

/** *Fleet*: is it fast, and is everybody well? */
export function fleetDashboard(): object {
  return dashboard({
    uid: "lockstep-fleet",
    title: "lockstep: Fleet",
    description: "Is it fast, and is everybody well?",
    sections: [overview(), ...fleetSpeed(), ...fleetWorkers(), ...fleetProcesses()],
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
            title: "Speed",
            description: "Training images a second over the last ten seconds of training.",
            unit: "short",
            queries: [{ expr: `lockstep_samples_per_second{${RUN}}`, legend: "images/s" }],
          }),
          stat({
            title: "Efficiency",
            description: "Share of the workers' time that goes into training itself: 100 % would be perfect scaling.",
            unit: "percentunit",
            decimals: 0,
            queries: [{ expr: EFFICIENCY, legend: "efficiency" }],
            thresholds: [
              { value: null, color: "red" },
              { value: 0.4, color: "orange" },
              { value: 0.7, color: "green" },
            ],
          }),
          stat({
            title: "Workers",
            now: true,
            description: "Ready now, and how many the run waits for at least.",
            unit: "none",
            decimals: 0,
            named: true,
            queries: [
              { expr: `lockstep_workers_connected{${RUN}}`, legend: "ready" },
              { expr: `lockstep_workers_wanted{${RUN}}`, legend: "wanted" },
            ],
          }),
          stat({
            title: "Step",
            description: "Median time of a step, from its first assignment to its new weights.",
            unit: "s",
            decimals: 1,
            queries: [{ expr: quantile(0.5, "lockstep_step_duration_seconds"), legend: "median" }],
          }),
          stat({
            title: "Checkpoint's age",
            now: true,
            description: "What a crash of the coordinator would cost at most.",
            unit: "s",
            decimals: 0,
            queries: [{ expr: `time() - lockstep_checkpoint_timestamp_seconds{${RUN}}`, legend: "age" }],
            thresholds: [
              { value: null, color: "green" },
              { value: 900, color: "orange" },
              { value: 1800, color: "red" },
            ],
          }),
          stat({
            title: "Alerts",
            now: true,
            description: "Alerts of this run that fire now; Prometheus and Alertmanager list them.",
            unit: "none",
            decimals: 0,
            queries: [{ expr: `count(ALERTS{${RUN}, alertstate="firing"}) or vector(0)`, legend: "firing" }],
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
