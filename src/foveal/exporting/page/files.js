// Files that are dropped or chosen: single ones whatever their name, folders by the endings of images.

/** Returns {files: [{path, file}], numLeftOut, isRefused}, by path; hidden files are left out. */
export function fromList(list, endings) {
  const found = Array.from(list, (file) => ({ path: file.webkitRelativePath || file.name, file }));
  return chosen(found, endings, (one) => one.file.webkitRelativePath !== "");
}

export async function fromDrop(transfer, endings) {
  // Everything is asked for at once: after the first wait, what was dropped is gone.
  const items = Array.from(transfer.items, (item) => ({
    file: item.getAsFile(),
    handle: item.getAsFileSystemHandle?.().catch(() => null),
    entry: item.webkitGetAsEntry?.(),
  }));
  const found = [];
  let isRefused = false;
  for (const { file, handle, entry } of items) {
    const own = await handle;
    try {
      if (own?.kind === "directory") await walkHandle(own, own.name, found);
      else if (!own && entry?.isDirectory) await walkEntry(entry, entry.name, found);
      else if (file) found.push({ path: file.name, file });
    } catch {
      isRefused = true;
    }
  }
  return { ...chosen(found, endings, (one) => one.path.includes("/")), isRefused };
}

function chosen(found, endings, isInFolder) {
  const isHidden = (path) => path.split("/").some((part) => part.startsWith("."));
  const hasEnding = (path) => endings.includes(/\.[^./]*$/.exec(path)?.[0].toLowerCase() ?? "");
  const files = found.filter((one) => !isInFolder(one) || (!isHidden(one.path) && hasEnding(one.path)));
  files.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return { files, numLeftOut: found.length - files.length };
}

async function walkHandle(folder, path, found) {
  for await (const [name, handle] of folder.entries()) {
    if (handle.kind === "directory") await walkHandle(handle, `${path}/${name}`, found);
    else found.push({ path: `${path}/${name}`, file: await handle.getFile() });
  }
}

async function walkEntry(folder, path, found) {
  const reader = folder.createReader();
  for (;;) {
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!entries.length) return;
    for (const entry of entries) {
      if (entry.isDirectory) await walkEntry(entry, `${path}/${entry.name}`, found);
      else found.push({ path: `${path}/${entry.name}`, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) });
    }
  }
}
