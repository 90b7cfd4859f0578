// Puts a single executable application's blob into a Node binary for Linux, as Node looks for it: an ELF note in a
// segment of its own. Written here because the usual tool (postject) rewrites the whole file, which makes it larger
// and is not the same on each machine.

const HEADER = { machine: 0x12, phoff: 0x20, shoff: 0x28, phnum: 0x38, shnum: 0x3c };
const PHENT = 56;
const TYPE = { load: 1, note: 4, phdr: 6 };
const READ = 4;
/** The largest page of a Linux on arm64; on x64 it is a multiple of the page too. */
const PAGE = 0x10000;

/** Node's names of architectures, and ELF's numbers of them. */
export const MACHINES = { x64: 62, arm64: 183 };

interface Segment {
  type: number;
  flags: number;
  offset: number;
  address: number;
  fileSize: number;
  memorySize: number;
  align: number;
}

/** The machine and the segments of a 64-bit little-endian ELF file; throws for anything else. */
export function readElf(file: Buffer): { machine: number; segments: Segment[] } {
  if (file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1) {
    throw new Error('not a 64-bit little-endian ELF file');
  }
  const at = Number(file.readBigUInt64LE(HEADER.phoff));
  const count = file.readUInt16LE(HEADER.phnum);
  const segments = Array.from({ length: count }, (_, index) => segmentAt(file, at + index * PHENT));
  return { machine: file.readUInt16LE(HEADER.machine), segments };
}

function segmentAt(file: Buffer, at: number): Segment {
  const number = (offset: number) => Number(file.readBigUInt64LE(at + offset));
  return {
    type: file.readUInt32LE(at),
    flags: file.readUInt32LE(at + 4),
    offset: number(8),
    address: number(16),
    fileSize: number(32),
    memorySize: number(40),
    align: number(48),
  };
}

/** The content of the note `name`; null when the file has none. */
export function noteOf(file: Buffer, name: string): Buffer | null {
  for (const { type, offset, fileSize } of readElf(file).segments) {
    if (type !== TYPE.note || fileSize < 12) continue;
    const nameSize = file.readUInt32LE(offset);
    const size = file.readUInt32LE(offset + 4);
    const found = file.toString('latin1', offset + 12, offset + 12 + nameSize - 1);
    const start = offset + 12 + align(nameSize, 4);
    if (found === name) return file.subarray(start, start + size);
  }
  return null;
}

/**
 * The executable with `blob` as a note called `name`, and without symbols and sections, which only a debugger
 * reads. The program headers move to the new segment. Its address is where the whole file would be if it were
 * mapped as the first segment is: Linux before 5.18 computes the address of the headers in that way.
 */
export function withNote(file: Buffer, name: string, blob: Buffer): Buffer {
  const { segments } = readElf(file);
  const loads = segments.filter(({ type }) => type === TYPE.load);
  const first = loads[0];
  if (!first) throw new Error('the executable has nothing to load');
  const base = first.address - first.offset;
  const fileEnd = Math.max(...loads.map(({ offset, fileSize }) => offset + fileSize));
  const memoryEnd = Math.max(...loads.map(({ address, memorySize }) => address + memorySize));
  const start = align(Math.max(fileEnd, memoryEnd - base), PAGE);

  const note = noteBytes(name, blob);
  const headersSize = align((segments.length + 2) * PHENT, 16);
  const size = headersSize + note.length;
  const segment = (type: number, offset: number, length: number, alignment: number): Segment => ({
    type,
    flags: READ,
    offset: start + offset,
    address: base + start + offset,
    fileSize: length,
    memorySize: length,
    align: alignment,
  });
  const last = segments.findLastIndex(({ type }) => type === TYPE.load);
  const all = segments.map((one) =>
    one.type === TYPE.phdr ? segment(TYPE.phdr, 0, (segments.length + 2) * PHENT, 8) : one,
  );
  // Loads have to be in the order of their addresses.
  all.splice(last + 1, 0, segment(TYPE.load, 0, size, PAGE));
  all.push(segment(TYPE.note, headersSize, note.length, 4));

  const made = Buffer.alloc(start + size);
  file.copy(made, 0, 0, fileEnd);
  all.forEach((one, index) => writeSegment(made, start + index * PHENT, one));
  note.copy(made, start + headersSize);
  made.writeBigUInt64LE(BigInt(start), HEADER.phoff);
  made.writeUInt16LE(all.length, HEADER.phnum);
  made.writeBigUInt64LE(0n, HEADER.shoff);
  // How many sections there are, and which of them holds their names.
  made.fill(0, HEADER.shnum, HEADER.shnum + 4);
  return made;
}

function writeSegment(
  file: Buffer,
  at: number,
  { type, flags, offset, address, fileSize, memorySize, align }: Segment,
): void {
  file.writeUInt32LE(type, at);
  file.writeUInt32LE(flags, at + 4);
  const numbers = [offset, address, address, fileSize, memorySize, align];
  numbers.forEach((number, index) => file.writeBigUInt64LE(BigInt(number), at + 8 + index * 8));
}

function noteBytes(name: string, content: Buffer): Buffer {
  const head = Buffer.alloc(12 + align(name.length + 1, 4));
  head.writeUInt32LE(name.length + 1, 0);
  head.writeUInt32LE(content.length, 4);
  head.write(name, 12, 'latin1');
  return Buffer.concat([head, content, Buffer.alloc(align(content.length, 4) - content.length)]);
}

function align(number: number, step: number): number {
  return Math.ceil(number / step) * step;
}
