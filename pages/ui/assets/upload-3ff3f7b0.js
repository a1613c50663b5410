// Files from this browser to the server's disk, one after the other, with progress and Cancel. The server says what it
// takes before anything is sent. An upload goes on while the page around it is drawn again.

const going = new Map(); // by ticket: how far it is, and what shows it

export default function ({ parentElement, data, setTriggerValue }) {
  const box = parentElement.querySelector(".px-upload");
  const upload = going.get(data.ticket) ?? { said: data.said };
  upload.show = () => show(box, upload);
  upload.done = (key) => setTriggerValue("done", key);
  going.set(data.ticket, upload);
  box.querySelector(".px-asked").textContent = data.asked;
  box.querySelector(".px-folder").hidden = !data.folders;
  if (!upload.running) upload.said = upload.error || data.said;
  const start = (files) => files.length && !upload.running && send(data, upload, files);
  for (const input of box.querySelectorAll("input")) {
    input.accept = input.webkitdirectory ? "" : data.accept;
    input.onchange = () => {
      start([...input.files].map((file) => [file.webkitRelativePath || file.name, file]));
      input.value = "";
    };
  }
  box.ondragover = (event) => {
    event.preventDefault();
    box.classList.add("px-over");
  };
  box.ondragleave = () => box.classList.remove("px-over");
  box.ondrop = async (event) => {
    event.preventDefault();
    box.classList.remove("px-over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    start((await Promise.all(entries.map(within))).flat());
  };
  box.querySelector(".px-cancel").onclick = () => upload.cancel?.();
  upload.show();
}

function show(box, upload) {
  box.querySelector(".px-going").hidden = !upload.running;
  box.querySelector(".px-choices").hidden = upload.running;
  box.querySelector("progress").value = upload.total ? upload.sent / upload.total : 0;
  box.querySelector(".px-said").textContent = upload.said ?? "";
}

async function within(entry) {
  if (entry.isFile) return [[entry.fullPath.slice(1), await new Promise((take, fail) => entry.file(take, fail))]];
  const [reader, found] = [entry.createReader(), []];
  for (;;) {
    const some = await new Promise((take, fail) => reader.readEntries(take, fail)); // at most a hundred at a time
    if (!some.length) return found;
    found.push(...(await Promise.all(some.map(within))).flat());
  }
}

async function send({ ticket, root, takes }, upload, all) {
  // Of a folder, what no model is made of stays here.
  const isFolder = all.some(([name]) => name.includes("/"));
  const kept = all.filter(([name]) => !isFolder || takes.some((suffix) => name.toLowerCase().endsWith(suffix)));
  const files = kept.filter(([name]) => !name.split("/").some((part) => part.startsWith(".")));
  const address = `${root}upload/${ticket}`;
  let cancelled = false;
  Object.assign(upload, { running: true, error: "", sent: 0, total: files.reduce((sum, [, file]) => sum + file.size, 0) });
  upload.said = "Asking the server …";
  upload.show();
  let own = "";
  try {
    const list = files.map(([name, file]) => [name, file.size]);
    const answer = await fetch(address, { method: "POST", body: JSON.stringify(list) });
    if (!answer.ok) throw new Error(await answer.text());
    const { key } = await answer.json();
    own = `${address}/${key}`;
    let before = 0;
    for (const [place, [name, file]] of files.entries()) {
      await put(`${own}/${place}`, file, upload, (loaded) => {
        upload.sent = before + loaded;
        upload.said = `${size(upload.sent)} of ${size(upload.total)} · ${name.split("/").pop()}`;
        upload.show();
      }, () => (cancelled = true));
      before += file.size;
    }
    Object.assign(upload, { running: false, said: "" });
    upload.done(key);
  } catch (error) {
    if (own) fetch(own, { method: "DELETE" });
    upload.error = cancelled ? "Cancelled. Nothing was kept." : error.message || "The connection was lost.";
    Object.assign(upload, { running: false, said: upload.error });
  }
  upload.show();
}

function put(address, file, upload, onProgress, onCancel) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest(); // fetch tells nothing of how much was sent
    upload.cancel = () => {
      onCancel();
      request.abort();
    };
    request.upload.onprogress = (event) => onProgress(event.loaded);
    request.onload = () => (request.status < 300 ? done() : fail(new Error(request.responseText)));
    request.onerror = () => fail(new Error("The connection was lost."));
    request.onabort = () => fail(new Error("Cancelled."));
    request.open("PUT", address);
    request.send(file);
  });
}

function size(bytes) {
  const unit = bytes >= 2 ** 30 ? [2 ** 30, "GiB"] : bytes >= 2 ** 20 ? [2 ** 20, "MiB"] : [2 ** 10, "KiB"];
  return `${(bytes / unit[0]).toFixed(unit[1] === "KiB" ? 0 : 1)} ${unit[1]}`;
}
