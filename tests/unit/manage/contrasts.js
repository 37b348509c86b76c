/* Texts of the page that stand out from their ground by less than 4.5 to 1, as WCAG 2 counts it. */
() => {
  const numbers = (text) => (text.match(/[0-9.]+/g) || []).map(Number);
  const light = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = numbers(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const texts = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if ((!texts && !element.matches("input, .dense .tile")) || !element.checkVisibility() || element.closest("svg, dialog:not([open])")) continue;
    const style = getComputedStyle(element, element.matches(".dense .tile") ? "::before" : null);
    const [one, other] = [light(numbers(style.color)), light(ground(element))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < 4.5) poor.push(`${element.tagName}.${element.className} ${element.textContent.slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return poor;
}
