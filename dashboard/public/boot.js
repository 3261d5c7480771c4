// Runs before the first paint: theme and language of the last visit, so that nothing flashes. Kept tiny and outside the bundle on purpose.
(() => {
  let theme = "system";
  let lang = "";
  try {
    const prefs = JSON.parse(localStorage.getItem("baomq.prefs") || "{}");
    theme = prefs.theme || theme;
    lang = prefs.lang || lang;
  } catch {}
  const dark = theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  document.documentElement.lang = lang || (navigator.language.startsWith("zh") ? "zh" : "en");
})();
