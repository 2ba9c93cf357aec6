// A double click says one thing, as a key held down does: its second half would judge an item that nobody has seen.

const RECORDS = /^(accept|reject|skip|undo|undo-last|save|facts|insist|reopen|own|(reason|prefer|fact)-.+)$/;

document.addEventListener("click", (event) => {
  const name = event.target.closest?.("[data-do]")?.dataset.do ?? "";
  if (event.detail < 2 || !RECORDS.test(name)) return; // keys press with a detail of 0
  event.preventDefault();
  event.stopImmediatePropagation();
}, { capture: true });
