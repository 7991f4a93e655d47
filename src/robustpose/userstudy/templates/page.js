"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const material = JSON.parse(atob(byId("material").textContent));
  const pictures = JSON.parse(byId("pictures").textContent);
  const place = "robustpose-userstudy-" + material.study;
  const PAUSE_MS = 400; // between trials, so that the change of images does not look like flicker
  const SCREENS = ["start", "question", "end"];
  let session = null;
  let open = null; // the trial that waits for an answer
  let keeps = true;

  function keep() {
    try {
      localStorage.setItem(place, JSON.stringify(session));
    } catch {
      keeps = false;
    }
    byId("unkept").hidden = keeps;
  }

  function kept() {
    try {
      return restored(localStorage.getItem(place), material);
    } catch {
      keeps = false;
      return null;
    }
  }

  function begin() {
    const bytes = crypto.getRandomValues(new Uint8Array(8));
    session = { study: material.study, participant: newParticipant(bytes), answers: [] };
  }

  function show(screen) {
    for (const name of SCREENS) byId(name).hidden = name !== screen;
    document.body.dataset.screen = screen;
    window.scrollTo(0, 0);
  }

  // Sets the size of every image in CSS pixels that are whole screen pixels; returns the zoom.
  function fit() {
    const ratio = window.devicePixelRatio || 1;
    const wide = (document.documentElement.clientWidth - 48) / 2;
    const zoom = zoomFor(material.width, material.scale, ratio, wide);
    document.documentElement.style.setProperty("--wide", (material.width * zoom) / ratio + "px");
    document.documentElement.style.setProperty("--high", (material.height * zoom) / ratio + "px");
    return zoom;
  }

  async function ask() {
    const row = nextTrial(orderFor(session.participant, material.trials.length), material.trials, session.answers);
    if (row < 0) return finish();
    show("question");
    const trial = material.trials[row];
    const mirrored = isMirrored(session.participant);
    const sides = sidesOf(trial, mirrored);
    byId("progress").textContent = `Pair ${session.answers.length + 1} of ${material.trials.length}`;
    byId("bar").value = session.answers.length;
    byId("pair").classList.add("away");
    byId("left-picture").src = pictures[sides.left];
    byId("right-picture").src = pictures[sides.right];
    const pause = new Promise((done) => setTimeout(done, PAUSE_MS));
    await Promise.all([byId("left-picture").decode(), byId("right-picture").decode(), pause]);
    const zoom = fit();
    const asked = { trial, mirrored, zoom, since: performance.now(), timer: null };
    byId("pair").classList.remove("away");
    open = asked;
    requestAnimationFrame((now) => { asked.since = now; }); // when the images appear
    if (material.seconds > 0) {
      open.timer = setTimeout(() => byId("pair").classList.add("away"), 1000 * material.seconds);
    }
  }

  function choose(side) {
    if (open === null) return;
    const { trial, mirrored, zoom, since, timer } = open;
    open = null;
    clearTimeout(timer);
    session.answers.push(answerOf(trial, mirrored, side, performance.now() - since, zoom));
    keep();
    ask();
  }

  function screenFacts() {
    return {
      width: window.screen.width,
      height: window.screen.height,
      window_width: window.innerWidth,
      window_height: window.innerHeight,
      device_pixel_ratio: window.devicePixelRatio || 1,
    };
  }

  function finish() {
    const text = JSON.stringify(answersFile(material, session, screenFacts()), null, 1) + "\n";
    byId("download").href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    byId("download").download = `answers-${session.participant}.json`;
    byId("copy").value = text;
    byId("answered").textContent = session.answers.length;
    show("end");
    byId("end-title").focus();
  }

  function welcome() {
    const before = kept();
    byId("unkept").hidden = keeps;
    if (before !== null && before.answers.length === material.trials.length) {
      session = before;
      return finish();
    }
    session = before;
    byId("again").hidden = before === null;
    byId("go").textContent = before === null ? "I agree, start" : "Continue";
    if (before !== null) byId("so-far").textContent = before.answers.length;
    show("start");
  }

  byId("go").addEventListener("click", () => {
    if (session === null) begin();
    keep();
    document.activeElement.blur();
    ask();
  });
  for (const button of document.querySelectorAll("button.afresh")) {
    button.addEventListener("click", () => {
      if (!window.confirm("Remove the answers kept on this device and start as another person?")) return;
      try {
        localStorage.removeItem(place);
      } catch {
        keeps = false;
      }
      session = null;
      welcome();
    });
  }
  for (const side of ["left", "right"]) {
    byId(side).addEventListener("click", (event) => {
      if (event.detail > 0) byId(side).blur(); // a focus frame on the last chosen side would be a distraction
      choose(side);
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.repeat || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      if (document.body.dataset.screen !== "question") return;
      event.preventDefault();
      choose(event.key === "ArrowLeft" ? "left" : "right");
    }
  });
  window.addEventListener("resize", () => {
    const zoom = fit();
    if (open !== null) open.zoom = zoom;
  });
  byId("bar").max = material.trials.length;
  fit();
  welcome();
})();
