import { ReferenceEngine } from "../../../../src/worker/engines/reference/reference-engine.ts";
import { engineCompliance } from "../../../compliance/engine.ts";

engineCompliance("reference", {
  create: async () => new ReferenceEngine(),
  tolerance: 1e-5,
  deterministic: true,
  batchInvariant: true,
});
