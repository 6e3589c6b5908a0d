// The counter, in JavaScript.
//
// componentize-qjs 0.4.5 makes a number of a u64, which is exact up to 2 to the 53rd, and a negative number of a u32 beyond
// 2 to the 31st, which >>> 0 makes right.

export const actor = {
  init(state) {
    return [state];
  },
};

export const api = {
  get(state) {
    return [state, state.count];
  },

  add(state, by) {
    const count = state.count + (by >>> 0);
    return [{ count }, count];
  },

  set(state, count) {
    return [{ count }];
  },

  fail(state) {
    throw "declined, as you asked";
  },
};
