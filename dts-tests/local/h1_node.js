// HTTP/1.1 by node.
// usage: node h1_node.js serve ADDRESS PORT - an origin with trailers, early hints, close-ended bodies and 100
//        node h1_node.js get HOST PORT COUNT - COUNT requests of all kinds over 8 kept-alive sockets; prints "ok"
const http = require('http');
const [what, host, port, count] = [process.argv[2], process.argv[3], Number(process.argv[4]), Number(process.argv[5])];

function answer(rq, rs) {
  if (rq.url === '/trailers') {
    rs.writeHead(200, { Trailer: 'x-sum' });
    rs.write('part one, ');
    rs.addTrailers({ 'x-sum': '42' });
    rs.end('part two');
  } else if (rq.url === '/hints') {
    rs.writeEarlyHints ? rs.writeEarlyHints({ link: '</a>; rel=preload' }) : rs.writeProcessing();
    rs.end('hinted');
  } else if (rq.url === '/close') {
    rs.shouldKeepAlive = false;
    rs.useChunkedEncodingByDefault = false;
    rs.removeHeader('transfer-encoding');
    rs.writeHead(200, { Connection: 'close' });
    rs.end('x'.repeat(100000));
  } else if (rq.url === '/none') {
    rs.writeHead(204);
    rs.end();
  } else if (rq.url === '/same') {
    rs.writeHead(304, { etag: '"1"' });
    rs.end();
  } else {
    rs.writeHead(200);
    rq.pipe(rs);
  }
}

function serve() {
  const s = http.createServer({ keepAliveTimeout: 60000 }, answer);
  s.listen(port, host);
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
const sockets = new Set();
let left = count;
function fail(why) { console.log(why); process.exit(1); }
function done() {
  if (--left > 0) return;
  // node itself opens another socket after a HEAD whose answer says no length.
  if (sockets.size > 8 + Math.ceil(count / 7)) fail(`${sockets.size} sockets for ${count} requests`);
  console.log('ok');
  process.exit(0);
}
function request(i) {
  const kinds = [['GET', '/trailers', 'part one, part two'], ['GET', '/hints', 'hinted'],
    ['GET', '/close', 'x'.repeat(100000)], ['GET', '/none', ''], ['GET', '/same', ''], ['POST', '/echo', 'abc'.repeat(50000)], ['HEAD', '/hints', '']];
  const [method, path, want] = kinds[i % kinds.length];
  const rq = http.request({ host, port, path, method, agent }, (rs) => {
    let got = '';
    rs.on('data', (d) => { got += d; });
    rs.on('end', () => {
      if (got !== want) fail(`${method} ${path}: ${rs.statusCode}, ${got.length} bytes of ${want.length}`);
      if (!rs.complete) fail(`${path}: incomplete`);
      done();
    });
  });
  rq.on('socket', (s) => sockets.add(s));
  rq.on('error', (e) => fail(`${method} ${path}: ${e.message}`));
  if (method === 'POST' && i % 2) {
    rq.setHeader('Expect', '100-continue');
    rq.flushHeaders();
    rq.on('continue', () => rq.end(want));
  } else {
    rq.end(method === 'POST' ? want : undefined);
  }
}

if (what === 'serve') serve(); else for (let i = 0; i < count; i++) request(i);
