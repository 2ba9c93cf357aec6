// Talking to the server. An answer is {ok, status, body}; status 0 where there was none.

const PATIENCE_MS = 20000;

export async function call(path, body, { keepalive = false } = {}) {
  const options = { credentials: "same-origin", cache: "no-store", redirect: "error", keepalive };
  if (body !== undefined) {
    options.method = "POST";
    options.headers = { "content-type": "application/json" };
    options.body = JSON.stringify(body);
  }
  if (!keepalive) options.signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    const answer = await fetch(path, options);
    const told = await answer.json();
    return { ok: answer.ok, status: answer.status, body: told };
  } catch {
    return { ok: false, status: 0, body: {} };
  }
}

/** Return {url, size} of a picture as a blob, or {reason}. Revoke the url when it is no longer shown. */
export async function picture(path) {
  try {
    const answer = await fetch(path, { credentials: "same-origin", redirect: "error" });
    if (!answer.ok) {
      const told = await answer.json().catch(() => ({}));
      return { reason: String(told.message ?? ""), again: answer.status >= 500 };
    }
    const size = (answer.headers.get("recaption-size") ?? "").split("x").map(Number);
    const url = URL.createObjectURL(await answer.blob());
    const ahead = new Image(); // decoded now, so that it stands at once when its turn comes
    ahead.src = url;
    await ahead.decode().catch(() => {});
    return { url, size };
  } catch {
    return { reason: "", again: true };
  }
}

export function requestId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether it is worth sending the same thing once more. */
export const mayPass = (status) => status === 0 || status >= 500 || status === 429;

export const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
