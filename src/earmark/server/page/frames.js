/** Drawing once a frame at most, however often it is asked for. */

const waiting = new Set();
let asked = false;

/** Call `draw` in the next frame, once. */
export function nextFrame(draw) {
  waiting.add(draw);
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    const now = [...waiting];
    waiting.clear();
    for (const each of now) each();
  });
}
