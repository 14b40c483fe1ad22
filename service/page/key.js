"use strict";
// The header of the API key that was entered, if one was.
class NoKey extends Error {}

const keyHeaders = () => {
  const key = document.getElementById("key").value;
  try {
    return Object.fromEntries(new Headers(key ? {"X-API-Key": key} : {}));
  } catch {
    throw new NoKey("The API key holds a character that no key can have: copy it again.");
  }
};

