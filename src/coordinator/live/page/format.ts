/** Numbers and times as the page shows them; a dash stands for what is not known. */

const NONE = "–";
const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

/** `28,412` */
export function countText(count: number | null): string {
  return count === null ? NONE : grouped.format(count);
}

/** `28.4K`, for axes. */
export function compactText(count: number): string {
  return compact.format(count);
}

/** Four digits after the point, or as many as a small loss needs: `0.0868`, `4.21e-5`. */
export function lossText(loss: number | null | undefined): string {
  if (loss === null || loss === undefined) return NONE;
  return loss !== 0 && Math.abs(loss) < 0.001 ? loss.toExponential(2) : loss.toFixed(4);
}

/** A share from 0 to 1 as `98.96 %`. */
export function percentText(share: number | null | undefined, digits = 2): string {
  return share === null || share === undefined ? NONE : `${(share * 100).toFixed(digits)} %`;
}

/** `0:07`, `12:30`, `1:02:03` */
export function clockText(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return NONE;
  const whole = Math.round(seconds);
  const two = (part: number): string => String(part).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

/** The time of day here: `09:05:01`. */
export function timeText(unixMs: number): string {
  const at = new Date(unixMs);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}
