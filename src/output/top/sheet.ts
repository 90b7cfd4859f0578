/** What the pages of `top` are drawn on. */
import type { Paint } from './paint.js';

/** What a page draws on. */
export interface Sheet {
  readonly width: number;
  /** Lines that there is room for. */
  readonly height: number;
  readonly paint: Paint;
  readonly nowMs: number;
  /** Told how far the page can be moved up, when it is drawn. */
  readonly most?: (scroll: number) => void;
}

/** 15:20:31Z: UTC, as the events have it. */
export function utcTimeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(11, 19)}Z`;
}
