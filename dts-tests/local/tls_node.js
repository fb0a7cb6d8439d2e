// A TLS client and origins of node: `get FILE` fetches one page, `serve FILE` answers on every port of a table.
'use strict';
const fs = require('fs');
const https = require('https');

const [, , verb, path] = process.argv;
const want = JSON.parse(fs.readFileSync(path, 'utf8'));
const read = (of) => ({
  ca: fs.readFileSync(want.ca), cert: fs.readFileSync(of.cert), key: fs.readFileSync(of.key),
  minVersion: of.version, maxVersion: of.version,
});

if (verb === 'serve') {
  for (const p of want.ports) {
    https.createServer({ ...read(p), requestCert: true, rejectUnauthorized: true }, (req, res) => {
      res.end(`node ${req.socket.getProtocol()} ${req.socket.getCipher().name}\n`);
    }).listen(p.port, want.address);
  }
} else {
  https.get({ ...read(want), host: want.address, port: want.port, servername: want.name, path: want.path,
    headers: { host: want.name }, agent: false }, (res) => {
    res.setEncoding('utf8');
    res.on('data', (text) => process.stdout.write(text));
    res.on('end', () => process.stdout.write(`\n${res.socket ? res.statusCode : 0}\n`));
  }).on('error', (e) => { console.error(String(e)); process.exit(1); });
}
