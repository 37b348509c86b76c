// What the type checker cannot see of the page: of which kind its elements are, and what its scripts keep on them.

interface IdsOfThePage {
  theme: HTMLSelectElement;
  by: HTMLSelectElement;
  span: HTMLSelectElement;
  kind: HTMLSelectElement;
  find: HTMLInputElement;
  about: HTMLInputElement;
  reason: HTMLInputElement;
  token: HTMLInputElement;
  "word-dialog": HTMLDialogElement;
  "token-dialog": HTMLDialogElement;
  "word-yes": HTMLButtonElement;
}

type ById = <Id extends string>(id: Id) => Id extends keyof IdsOfThePage ? IdsOfThePage[Id] : HTMLElement;

interface Element {
  key?: string; // by which it is known among its siblings
  mark?: (at: number | null) => void; // of a chart: show this moment
  face?: string; // of a tile: what it shows
  sort?: string;
  node?: any; // of a tile: the API's node
}
