"use strict";
(() => {
  const tip = document.getElementById("tip"), toast = document.getElementById("toast");
  const picker = document.getElementById("picker");
  let fading = 0;

  function showTip(target, x, y) {
    tip.textContent = target.dataset.text;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 4))}px`;
    tip.style.top = `${y + box.height + 18 > innerHeight ? y - box.height - 14 : y + 14}px`;
  }

  function say(text) {
    toast.textContent = text;
    toast.classList.add("shown");
    clearTimeout(fading);
    fading = setTimeout(() => toast.classList.remove("shown"), 4000);
  }

  // Frames and plain http pages may have no clipboard; there the selection is copied.
  function copySelected(text) {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }

  async function copy(text) {
    let copied = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      copied = copySelected(text);
    }
    say(copied ? `Copied: ${text}` : `Copy this: ${text}`);
  }

  function showBits(trial) {
    const all = JSON.parse(document.getElementById("bits").textContent);
    const { ladder, trials } = all;
    document.getElementById("shown").textContent = trial;
    for (const cell of document.querySelectorAll("td[data-site]")) {
      const bits = trials[trial][cell.dataset.site];
      const level = ladder.length > 1 ? ladder.indexOf(bits) / (ladder.length - 1) : 0;
      cell.textContent = bits;
      cell.style.setProperty("--level", level);
      cell.classList.toggle("deep", level > 0.5);
    }
    for (const mark of document.querySelectorAll(".mark[data-trial]")) {
      mark.classList.toggle("chosen", mark.dataset.trial === trial);
    }
  }

  document.addEventListener("pointerover", (event) => {
    const target = event.target.closest("[data-text]");
    if (target) showTip(target, event.clientX, event.clientY);
    else tip.hidden = true;
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]"), mark = event.target.closest("[data-trial]");
    if (button) copy(button.dataset.copy);
    if (mark && picker) {
      picker.value = mark.dataset.trial;
      showBits(mark.dataset.trial);
      copy(`${picker.dataset.export} trial=${mark.dataset.trial}`);
    }
  });
  if (picker) picker.addEventListener("change", () => showBits(picker.value));
})();
