import { join } from "node:path";
import { runCommand } from "../workshop/run-command.ts";

/** A Python 3 that runs: what PYTHON names, if it is set; else the active virtual environment's, else python3. */
export async function findPython(environment: NodeJS.ProcessEnv = process.env): Promise<string | undefined> {
  for (const python of pythons(environment)) {
    const { code, stdout } = await runCommand(python, ["-c", "import sys; print(sys.version_info[0])"]).catch(() => ({
      code: undefined,
      stdout: "",
    }));
    if (code === 0 && stdout.trim() === "3") return python;
  }
  return undefined;
}

/** Folders in which this Python has packages, without importing any. */
export async function sitePackages(python: string): Promise<string[]> {
  const { code, stdout } = await runCommand(python, ["-c", "import sys; print('\\n'.join(sys.path))"]);
  return code === 0 ? stdout.split("\n").filter((line) => line.startsWith("/")) : [];
}

function pythons({ PYTHON = "", VIRTUAL_ENV }: NodeJS.ProcessEnv): string[] {
  if (PYTHON !== "") return [PYTHON];
  const active = VIRTUAL_ENV === undefined || VIRTUAL_ENV === "" ? [] : [join(VIRTUAL_ENV, "bin", "python")];
  return [...active, "python3", "python"];
}
