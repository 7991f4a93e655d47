"use strict";
// The logic of a user study's page: order, sides, sizes, answers. No function here accesses the page.

const ANSWERS_FORMAT = "robustpose userstudy answers 1";

function hash32(text) { // FNV-1a
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}

function randomNumbers(seed) { // mulberry32: numbers in [0, 1)
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function newParticipant(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// The order of a participant's trials; the same after a reload.
function orderFor(participant, count) {
  const next = randomNumbers(hash32("order " + participant));
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

// Half of the participants see every trial with left and right exchanged.
function isMirrored(participant) {
  return randomNumbers(hash32("sides " + participant))() < 0.5;
}

function sidesOf(trial, mirrored) {
  return mirrored ? { left: trial.right, right: trial.left } : { left: trial.left, right: trial.right };
}

function isCorrect(trial, mirrored, side) {
  return (side === trial.tampered) !== mirrored;
}

// Screen pixels per image pixel, a whole number: as requested, or as many as fit into the room (CSS pixels).
function zoomFor(pixels, scale, ratio, room) {
  const asked = Math.round(scale * ratio);
  return Math.max(1, Math.min(asked, Math.floor((room * ratio) / pixels)));
}

function answerOf(trial, mirrored, side, milliseconds, zoom) {
  return {
    trial: trial.trial,
    kind: trial.kind,
    eps: trial.eps,
    attack: trial.attack,
    person: trial.person,
    side: side,
    correct: isCorrect(trial, mirrored, side),
    reaction_ms: Math.round(milliseconds),
    zoom: zoom,
  };
}

// The first trial in a participant's order without an answer; -1 if there is none.
function nextTrial(order, trials, answers) {
  const answered = new Set(answers.map((answer) => answer.trial));
  const found = order.find((row) => !answered.has(trials[row].trial));
  return found === undefined ? -1 : found;
}

function answersFile(material, session, screen) {
  return {
    format: ANSWERS_FORMAT,
    study: material.study,
    participant: session.participant,
    mirrored: isMirrored(session.participant),
    seconds: material.seconds,
    trials: material.trials.length,
    screen: screen,
    answers: session.answers,
  };
}

// The session stored before a reload; null if it is missing, damaged or of another study.
function restored(text, material) {
  try {
    const session = JSON.parse(text);
    const known = new Set(material.trials.map((trial) => trial.trial));
    const fits =
      session.study === material.study &&
      /^[0-9a-f]{16}$/.test(session.participant) &&
      session.answers.every((answer) => known.has(answer.trial));
    return fits ? session : null;
  } catch {
    return null;
  }
}

if (typeof module !== "undefined") {
  module.exports = {
    hash32, randomNumbers, newParticipant, orderFor, isMirrored, sidesOf, isCorrect, zoomFor, answerOf, nextTrial,
    answersFile, restored,
  };
}
