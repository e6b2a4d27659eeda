// Stands for Intl.Segmenter in the bundle (scripts/build.mjs): half a dozen packages make one as they are loaded, the first of which takes
// ICU longer than all the rest of loading, and text in ASCII needs none.
const { Segmenter } = Intl;

/** A segmenter that is made when it is used first. */
export class LazySegmenter {
  #given;
  #made;
  constructor(...given) {
    this.#given = given;
  }
  segment(text) {
    this.#made ??= new Segmenter(...this.#given);
    return this.#made.segment(text);
  }
}
