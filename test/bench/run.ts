import { benchEngine } from "./engine.bench.ts";

await benchEngine();
