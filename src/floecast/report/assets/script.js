(() => {
  "use strict";
  const slider = document.getElementById("lead");
  const text = document.getElementById("lead-text");
  const play = document.getElementById("play");
  const frames = [...document.querySelectorAll(".frames img")];
  const last = Number(slider.max);
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  let timer = null;

  const show = () => {
    const field = document.querySelector("input[name=field]:checked").value;
    for (const frame of frames) {
      frame.hidden = frame.dataset.field !== field || frame.dataset.lead !== slider.value;
      if (!frame.hidden) {
        text.textContent = frame.dataset.text;
        slider.setAttribute("aria-valuetext", frame.dataset.text);
      }
    }
  };
  const step = () => {
    slider.value = Number(slider.value) === last ? 0 : Number(slider.value) + 1;
    show();
  };
  const label = () => {
    play.textContent = timer !== null ? "Pause" : calm.matches ? "Next lead" : "Play";
  };
  const stop = () => {
    clearInterval(timer);
    timer = null;
    label();
  };

  for (const choice of document.querySelectorAll("input[name=field]")) {
    choice.addEventListener("change", show);
  }
  slider.addEventListener("input", () => { stop(); show(); });
  play.addEventListener("click", () => {
    if (timer !== null) {
      stop();
      return;
    }
    step();
    if (!calm.matches) {
      timer = setInterval(step, 800);
    }
    label();
  });
  calm.addEventListener("change", stop);
  document.querySelector(".controls").hidden = false;
  label();
  show();
})();
