// usage: node h2_node.js URL COUNT - COUNT concurrent GETs and one POST over node's http2; prints "ok".
const http2 = require('http2');
const [url, count] = [process.argv[2], Number(process.argv[3])];
const client = http2.connect(url);
client.on('error', (e) => { console.log(`session: ${e.message}`); process.exit(1); });
let left = count + 1;
function done() { if (--left === 0) { console.log('ok'); client.close(); } }
function fail(why) { console.log(why); process.exit(1); }
for (let i = 0; i < count; i++) {
  const rq = client.request({ ':path': `/size/${i * 100}` });
  let n = 0, status = 0;
  rq.on('response', (h) => { status = h[':status']; });
  rq.on('data', (d) => { n += d.length; });
  rq.on('end', () => { if (status !== 200 || n !== i * 100) fail(`request ${i}: ${status}, ${n} bytes`); done(); });
  rq.on('error', (e) => fail(`request ${i}: ${e.message}`));
  rq.end();
}
const post = client.request({ ':method': 'POST', ':path': '/echo' });
const sent = Buffer.alloc(300000, 'abcdefghij');
const got = [];
post.on('data', (d) => got.push(d));
post.on('end', () => { if (!Buffer.concat(got).equals(sent)) fail('echo differs'); done(); });
post.on('error', (e) => fail(`post: ${e.message}`));
post.end(sent);
