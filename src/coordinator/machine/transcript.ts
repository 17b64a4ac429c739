import type { TrainingEvent } from "../../shared/events.ts";
import type { TreeNode } from "../../shared/reduction/tree.ts";
import type { Correct, Effect, Event } from "./types.ts";

/** The coordinator's events and effects as lines for people. Peers stand by their names. */

const nodesText = (nodes: readonly TreeNode[]): string =>
  nodes.map(({ level, index }) => `${level}/${index}`).join(" ");

/** What happened, as one line. */
export function eventText(event: Event): string {
  switch (event.type) {
    case "message": {
      const { peer, message, finite } = event;
      switch (message.type) {
        case "result": {
          const odd = finite ? "" : " (not finite)";
          return `${peer}: result step ${message.step} ${message.slice} ${nodesText(message.nodes)}${odd}`;
        }
        case "evaluated":
          return `${peer}: evaluated version ${message.version} chunk ${message.chunk}: ${message.correct} correct`;
        case "pong":
          return `${peer}: pong, ${message.computed} computed`;
        case "leaving":
          return `${peer}: leaving, ${message.reason}`;
        case "failed":
          return `${peer}: failed, ${message.message}`;
        default:
          return `${peer}: ${message.type}`;
      }
    }
    case "peer-lost":
      return `${event.peer} is lost: ${event.reason}`;
    case "malformed":
      return `${event.peer}: something malformed`;
    case "process-exited":
      return `process ${event.pid} exited`;
    case "tick":
      return `tick at ${event.at} ms`;
    case "use-workers":
      return `use ${event.count} workers`;
    case "give-up":
      return `give up: ${event.message}`;
    case "interrupt":
      return `interrupt by ${event.signal}`;
    default:
      return event.type;
  }
}

/** What the machine asks for, as one line. */
export function effectText(effect: Effect): string {
  switch (effect.type) {
    case "welcome":
      return `${effect.peer} <- welcome as ${effect.name}`;
    case "refuse":
      return `${effect.peer} <- rejected, ${effect.code}`;
    case "ping":
      return `${effect.peer} <- ping`;
    case "stop":
      return `${effect.peer} <- stop, ${effect.reason}`;
    case "send-parameters":
      return `${effect.peer} <- ${effect.averaged ? "averaged " : ""}parameters ${effect.version} ${effect.slice}`;
    case "assign":
      return `${effect.peer} <- assign step ${effect.step} shards ${effect.shards.join()}${effect.slices.map((slice) => ` +${slice}`).join("")}`;
    case "evaluate":
      return `${effect.peer} <- evaluate version ${effect.version} chunks ${effect.chunks.join()}`;
    case "begin-step":
      return `begin step ${effect.step}, ${effect.shardCount} shards`;
    case "accept":
      return `accept ${effect.slice} ${nodesText(effect.nodes)}`;
    case "reject":
      return `reject ${effect.reason}`;
    case "apply-slice":
      return `apply ${effect.slice} of step ${effect.step}`;
    case "commit-step":
      return `commit step ${effect.step}`;
    case "epoch-evaluated":
      return `epoch ${effect.epoch} evaluated: ${correctText(effect.correct)}${effect.isBest ? ", the best" : ""}`;
    case "end-evaluated":
      return `the end evaluated: ${correctText(effect.correct)}`;
    case "report":
      return `report ${reportText(effect.event)}`;
    case "finish": {
      const { outcome } = effect;
      if (outcome.type === "done")
        return `finish: done${outcome.early === undefined ? "" : `, early: ${outcome.early}`}`;
      return `finish: ${outcome.type}, ${outcome.type === "interrupted" ? outcome.signal : outcome.message}`;
    }
    default:
      return effect satisfies never;
  }
}

function correctText({ test, validation }: Correct): string {
  return validation > 0 ? `${test} correct, ${validation} of the validation images` : `${test} correct`;
}

function reportText(event: TrainingEvent): string {
  switch (event.type) {
    case "worker-joined":
      return `${event.worker} joined, ${event.workers} ready`;
    case "worker-left": {
      const { worker, lost, reason, shardsReassigned, workers } = event;
      return `${worker} ${lost ? "lost" : "left"} (${reason}), ${shardsReassigned} shards reassigned, ${workers} ready`;
    }
    case "waiting":
      return `waiting for ${event.minWorkers} workers, ${event.workers} ready, ${event.waitedMs} ms so far`;
    case "warning":
      return `warning: ${event.message}`;
    default:
      return event.type;
  }
}
