
// A file of customers in pieces that one request each takes. The service reads CSV; here is only found where rows end.
const piecesOf = (() => {
  const ROWS = 1000, CHARACTERS = 2 ** 18, MAX_LINE = 2 ** 20;
  const QUOTE = 34, FEED = 10, RETURN = 13;
  // What programs tell Excel above the header, for which the service needs it as well.
  const NOTE = /^\ufeff?sep=([,;\t|])\s*$/i;

  // What a file says next, as text; what is wrong here is the file's fault, and not the network's.
  async function readOn(reader, decoder) {
    let read;
    try {
      read = await reader.read();
    } catch {
      throw new Error("The file cannot be read: it was changed, moved or deleted since, or is a folder. Choose it again.");
    }
    try {
      return {done: read.done, value: decoder.decode(read.value, {stream: !read.done})};
    } catch {
      throw new Error("The file is not UTF-8 text: save it as “CSV UTF-8”.");
    }
  }

  // What separates the fields below this header, as the service finds it; all that might, where that depends on the rows.
  function separatorsOf(header) {
    const first = header.match(/^[^\r\n]*/)[0];
    const note = NOTE.exec(first);
    if (note) return note[1];
    const bare = first.replace(/"[^"]*"/g, "");
    return bare.includes(",") ? "," : ",;\t|";
  }

  // Where rows end in a text that comes in parts: after \n, \r\n, or \r alone, but not within a field in quotes. A quote that does
  // not begin its field is a letter like any other.
  class Rows {
    separators = ",;\t|";
    quoted = false;
    begins = true;
    closed = false;

    // Whether the letter at this place ends a row; each place is asked about once, in order.
    endsAt(text, at) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) {
        if (this.quoted) [this.quoted, this.closed] = [false, true];
        else if (this.begins || this.closed) [this.quoted, this.closed] = [true, false];
        this.begins = false;
        return false;
      }
      this.closed = false;
      if (this.quoted) return false;
      const ends = code === FEED || (code === RETURN && text.charCodeAt(at + 1) !== FEED);
      this.begins = ends || this.separators.includes(text[at]);
      return ends;
    }
  }

  // Pieces of some rows, each with the header; `first` is the number of a piece's first customer in the file.
  return async function* pieces(file) {
    const reader = file.stream().getReader(), decoder = new TextDecoder("utf-8", {fatal: true}), found = new Rows();
    let text = "", scanned = 0, header = null, rows = [], size = 0, first = 1, read = 0;
    for (let ended = false; !ended;) {
      const {done, value} = await readOn(reader, decoder);
      ended = done;
      text += done ? `${value}\n` : value;
      // Of a \r at the end it is not known yet whether a \n follows.
      const end = text.length - text.endsWith("\r");
      let begin = 0;
      for (let at = scanned; at < end; at += 1) {
        if (!found.endsAt(text, at) && !(ended && at === end - 1)) continue;
        const row = text.slice(begin, at + 1);
        read += row.length;
        begin = at + 1;
        if (/^[\r\n]*$/.test(row)) continue;
        if (header === null || NOTE.test(header)) {
          header = (header ?? "") + row;
          found.separators = separatorsOf(header);
          continue;
        }
        rows.push(row);
        size += row.length;
        if (rows.length === ROWS || size > CHARACTERS) {
          yield {body: header + rows.join(""), first, share: read / file.size};
          first += rows.length;
          [rows, size] = [[], 0];
        }
      }
      text = text.slice(begin);
      scanned = end - begin;
      if (text.length > MAX_LINE) throw new Error("The file has a line of more than a megabyte: is it CSV?");
    }
    if (rows.length) yield {body: header + rows.join(""), first, share: 1};
    else if (first === 1) throw new Error("The file has no customers: a header and a line each are needed.");
  };
})();
