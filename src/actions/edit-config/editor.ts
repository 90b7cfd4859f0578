/** $EDITOR on a file of our own, which stays where it is until the edit has come through. */
import { ToolError } from '../../errors.js';
import type { Context } from '../../context.js';
import { utf8 } from '../../config/read-limited.js';

/** An edit and the configuration it was made from, on disk. */
export interface EditFile {
  path: string;
  text: string;
  /** JSON of what was edited. */
  base: string;
  /** The edit is done with. */
  discard: () => Promise<void>;
}

/** Opens a new file with `text`. ToolError keeps the file and says where it is. */
export async function edit(
  context: Context,
  scope: string,
  start: { text: string; base: string },
): Promise<EditFile> {
  const [{ mkdtemp, writeFile }, os, path] = await Promise.all([
    import('node:fs/promises'),
    import('node:os'),
    import('node:path'),
  ]);
  const editor = await editorCommand(context);
  // mkdtemp's folders are closed to others: a configuration may hold passwords.
  const folder = await mkdtemp(path.join(context.env['TMPDIR'] ?? os.tmpdir(), 'patctl-edit-'));
  const file = path.join(folder, `${scope.replace(/[^\w.-]/g, '_')}-config.yaml`);
  await writeFile(file, start.text, { mode: 0o600 });
  await writeFile(`${file}${BASE}`, start.base, { mode: 0o600 });
  return runEditor(context, editor, file);
}

/** An edit that was kept: the text, and what it was made from. */
export async function keptEdit(file: string): Promise<{ text: string; base: string }> {
  const { readFile } = await import('node:fs/promises');
  try {
    const [text, base] = await Promise.all([readFile(file), readFile(`${file}${BASE}`, 'utf8')]);
    return { text: utf8(text, file), base };
  } catch (error) {
    if (error instanceof ToolError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new ToolError('usage', `${file} is not a saved edit: ${code}`, { cause: error });
  }
}

/** Removes an edit that was kept, with its base. */
export async function discardEdit(file: string): Promise<void> {
  const { rm, rmdir } = await import('node:fs/promises');
  const path = await import('node:path');
  await rm(file, { force: true });
  await rm(`${file}${BASE}`, { force: true });
  // Only our own folders become empty by this.
  if (/[\\/]patctl-edit-[^\\/]+$/.test(path.dirname(file)))
    await rmdir(path.dirname(file)).catch(() => undefined);
}

const BASE = '.base';

/** What $EDITOR says, with its arguments; else editor or vi, where there is a terminal for them. */
async function editorCommand({ env, io }: Context): Promise<string> {
  const named = env['EDITOR'];
  if (named !== undefined && named !== '') return named;
  const [{ access, constants }, path] = await Promise.all([
    import('node:fs/promises'),
    import('node:path'),
  ]);
  for (const program of io.stdinIsTty && io.stdoutIsTty ? ['editor', 'vi'] : []) {
    for (const folder of (env['PATH'] ?? '').split(path.delimiter)) {
      const file = path.join(folder, program);
      const found = await access(file, constants.X_OK).then(
        () => folder !== '',
        () => false,
      );
      if (found) return program;
    }
  }
  throw new ToolError('usage', 'no editor is set and no change is given', {
    code: 'no_editor',
    hint: 'give the change with --set, --pg, --apply or --replace, or set EDITOR',
  });
}

async function runEditor(context: Context, editor: string, file: string): Promise<EditFile> {
  const { spawn } = await import('node:child_process');
  const ended = await new Promise<string | null>((resolve) => {
    // Through a shell, because EDITOR may have arguments; the shell does not interpret the file's name.
    const child = spawn('sh', ['-c', `${editor} "$1"`, 'sh', file], {
      // With -f json stdout is the document.
      stdio: ['inherit', context.flags.asJson ? 2 : 'inherit', 'inherit'],
      env: context.env,
    });
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) =>
      resolve(code === 0 ? null : `ended with ${code ?? signal}`),
    );
  });
  const { text, base } = await keptEdit(file);
  if (ended !== null) {
    throw new ToolError('error', `the editor ${ended}; nothing was written`, {
      code: 'editor_failed',
      hint: resumeHint(file),
    });
  }
  return { path: file, text, base, discard: () => discardEdit(file) };
}

export function resumeHint(file: string): string {
  return `the edit is saved in ${file}; continue with edit-config --resume ${file}`;
}
