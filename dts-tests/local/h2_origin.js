// usage: node h2_origin.js OPTIONS - an HTTP/2 origin on node's own http2 that writes down what it gets.
// OPTIONS is JSON: log, port, addresses; stall: true answers nothing; key, cert, ca (files): mutual TLS.
//
// One JSON line in the log when a request has come whole ("event": "request": method, path, host, sha256, length, to,
// peer), one when its stream is over ("event": "closed": path, to, rst: the code it was reset with, 0: in order).
// The answer's body is the request's x-envoy-attempt-count.
// /first/MS/...   the first request for that path is never answered, later ones after MS milliseconds
// /late/MS/...    the first one is answered after MS milliseconds, later ones never
// /marked/...     503 with x-sidestep-retried
const crypto = require('crypto');
const fs = require('fs');
const http2 = require('http2');

const options = JSON.parse(process.argv[2]);
const log = fs.openSync(options.log, 'a');
const seen = new Map();

function write(record) {
  fs.writeSync(log, JSON.stringify(record) + '\n');
}

// Milliseconds until the answer; -1: never.
function patience(path) {
  if (options.stall) return -1;
  const [, word, ms] = path.split('/');
  const before = seen.get(path) || 0;
  seen.set(path, before + 1);
  if (word === 'first') return before ? Number(ms) : -1;
  if (word === 'late') return before ? -1 : Number(ms);
  return 0;
}

function answer(stream, headers) {
  if (stream.destroyed) return;
  if (headers[':path'].startsWith('/marked')) {
    stream.respond({ ':status': 503, 'x-sidestep-retried': '0' });
    stream.end('tried\n');
    return;
  }
  stream.respond({ ':status': 200 });
  stream.end(`${headers['x-envoy-attempt-count'] || 1}\n`);
}

function onStream(stream, headers) {
  const socket = stream.session.socket;
  const path = headers[':path'], to = socket.localAddress;
  const peer = options.key ? socket.getPeerCertificate().subjectaltname : undefined;
  const digest = crypto.createHash('sha256'), wait = patience(path);
  let length = 0;
  stream.on('data', (d) => { digest.update(d); length += d.length; });
  stream.on('end', () => {
    if (stream.aborted || stream.rstCode) return; // not whole
    write({ event: 'request', method: headers[':method'], path, host: headers[':authority'],
            sha256: digest.digest('hex'), length, to, peer });
    if (wait >= 0) setTimeout(answer, wait, stream, headers);
  });
  stream.on('close', () => write({ event: 'closed', path, to, rst: stream.rstCode }));
  stream.on('error', () => {});
}

for (const address of options.addresses) {
  const server = options.key
    ? http2.createSecureServer({ key: fs.readFileSync(options.key), cert: fs.readFileSync(options.cert),
                                 ca: fs.readFileSync(options.ca), requestCert: true, rejectUnauthorized: true })
    : http2.createServer();
  server.on('stream', onStream);
  server.on('sessionError', () => {});
  server.listen(options.port, address);
}
