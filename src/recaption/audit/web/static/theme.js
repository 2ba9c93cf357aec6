// Runs before anything is drawn, so that the page never flashes in the other colours.
"use strict";
try {
  const theme = localStorage.getItem("recaption.audit.theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch { /* storage may be shut; then the system decides */ }
