/*
 * The ciphers and the key schedule: published vectors, every place where a record can be cut, one backend
 * against the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/err.h"
#include "base/rng.h"
#include "buf/testpool.h"
#include "tls/tls_device.h"
#include "tls/tls_keys.h"
#include "wire/tlsrec.h"

static struct ss_bufpool pool;
static struct tls_aead *evp, *mb, *dev; /* mb and dev are evp where the machine has no libipsec-mb */
static struct tls_aead_place place;

static uint32_t hex(const char *text, uint8_t *out)
{
	uint32_t n = 0;

	for (; *text; text++) {
		int v = *text >= 'a' ? *text - 'a' + 10 : *text - '0';

		if (*text == ' ')
			continue;
		out[n / 2] = (uint8_t)(n & 1 ? out[n / 2] | v : v << 4);
		n++;
	}
	return n / 2;
}

/* n bytes in mbufs of at most `part` bytes, as it comes from the network. */
static struct rte_mbuf *chain(const uint8_t *p, uint32_t n, uint32_t part, struct ss_bufq *q)
{
	ss_bufq_init(q);
	while (n) {
		uint32_t k = ss_min_u32(part, n);
		struct rte_mbuf *m = ss_buf_alloc(&pool);

		assert_non_null(m);
		memcpy(rte_pktmbuf_append(m, (uint16_t)k), p, k);
		ss_bufq_push(q, m);
		p += k;
		n -= k;
	}
	return q->head;
}

/* -- AES-GCM: test cases 3, 4, 15, 16 of "The Galois/Counter Mode of Operation" (McGrew, Viega) -- */

static const struct {
	enum tls_alg alg;
	const char *key, *iv, *aad, *plain, *cipher, *tag;
} gcm[] = {
	{ TLS_AES_128_GCM, "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0d"
	  "e657ba637b391aafd255",
	  "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0a"
	  "ac973d58e091473f5985",
	  "4d5c2af327cd64a62cf35abd2ba6fab4" },
	{ TLS_AES_128_GCM, "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
	  "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0d"
	  "e657ba637b39",
	  "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0a"
	  "ac973d58e091",
	  "5bc94fbc3221a5db94fae95ae7121a47" },
	{ TLS_AES_256_GCM, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	  "cafebabefacedbaddecaf888", "",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0d"
	  "e657ba637b391aafd255",
	  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba"
	  "7a0abcc9f662898015ad",
	  "b094dac5d93471bdec1a502270e3cc6c" },
	{ TLS_AES_256_GCM, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	  "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0d"
	  "e657ba637b39",
	  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba"
	  "7a0abcc9f662",
	  "76fc6ece0f4e1768cddf8853bb2d551b" },
};

static void one_gcm(struct tls_aead *a, size_t i, uint32_t part)
{
	uint8_t iv[TLS_IV], aad[32], plain[64], cipher[64], tag[TLS_TAG], got[64], made[TLS_TAG];
	uint32_t n = hex(gcm[i].plain, plain), aad_n = hex(gcm[i].aad, aad);
	struct ss_bufq q;

	hex(gcm[i].cipher, cipher);
	hex(gcm[i].tag, tag);
	hex(gcm[i].iv, iv);
	for (int sealing = 0; sealing < 2; sealing++) {
		struct tls_half h = { .alg = (uint8_t)gcm[i].alg, .sealing = sealing };
		struct tls_job job = { iv, aad, aad_n, { NULL, 0, n }, sealing ? made : tag };

		hex(gcm[i].key, h.key);
		job.part.m = chain(sealing ? plain : cipher, n, part, &q);
		int err = sealing ? ss_tls_aead_seal(a, &h, &job) : ss_tls_aead_open(a, &h, &job);
		assert_int_equal(err, 0);
		ss_bufq_read(&q, 0, got, n);
		assert_memory_equal(got, sealing ? cipher : plain, n);
		ss_bufq_free(&q);
		ss_tls_aead_forget(a, &h);
	}
	assert_memory_equal(made, tag, TLS_TAG);
}

static void test_gcm_vectors(void **state)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(gcm); i++)
		for (uint32_t part = 1; part <= 64; part++) {
			one_gcm(evp, i, part);
			one_gcm(mb, i, part);
		}
}

/* -- RFC 8439 2.8.2 -- */

static void test_chacha_vector(void **state)
{
	const char *text = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
			   "sunscreen would be it.";
	uint8_t iv[TLS_IV], aad[16], tag[TLS_TAG], want[TLS_TAG], first[16], got[16];
	struct tls_half h = { .alg = TLS_CHACHA20_POLY1305, .sealing = true };
	struct ss_bufq q;

	for (int i = 0; i < 32; i++)
		h.key[i] = (uint8_t)(0x80 + i);
	hex("070000004041424344454647", iv);
	hex("1ae10b594f09e26a7e902ecbd0600691", want);
	hex("d31a8d34648e60db7b86afbc53ef7ec2", first);
	struct tls_job job = { iv, aad, hex("50515253c0c1c2c3c4c5c6c7", aad), { NULL, 0, (uint32_t)strlen(text) }, tag };
	job.part.m = chain((const uint8_t *)text, job.part.n, 37, &q);
	assert_int_equal(ss_tls_aead_seal(evp, &h, &job), 0);
	assert_memory_equal(tag, want, TLS_TAG);
	ss_bufq_read(&q, 0, got, 16);
	assert_memory_equal(got, first, 16);
	ss_bufq_free(&q);
	ss_tls_aead_forget(evp, &h);
}

/* -- RFC 8448 3: the simple 1-RTT handshake's application keys and the records under them -- */

static const char client_secret[] = "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5";
static const char server_secret[] = "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643";

static const struct {
	bool client;
	uint64_t seq;
	uint8_t type;
	const char *content; /* NULL: the bytes 0 to 49 */
	const char *record;
} traces[] = {
	{ true, 0, 23, NULL,
	  "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f5a62"
	  "92a2977014bd1e3deae63aeebb21694915e4" },
	{ true, 1, 21, "0100", "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3" },
	/* The server's record 0 is its NewSessionTicket. */
	{ false, 1, 23, NULL,
	  "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb501a59a8fcc49c4bf2e5"
	  "f0a21c0047c2abf332540dd032e167c2955d" },
	{ false, 2, 21, "0100", "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9" },
};

static void derive(struct tls_half *h, bool client)
{
	memset(h, 0, sizeof(*h));
	h->alg = TLS_AES_128_GCM;
	h->secret_n = (uint8_t)hex(client ? client_secret : server_secret, h->secret);
	assert_true(ss_tls_keys_derive(h));
}

static void test_rfc8448_keys(void **state)
{
	uint8_t want[16];
	struct tls_half h;

	derive(&h, true);
	hex("17422dda596ed5d9acd890e3c63f5051", want);
	assert_memory_equal(h.key, want, 16);
	hex("5b78923dee08579033e523d9", want);
	assert_memory_equal(h.iv, want, TLS_IV);
	derive(&h, false);
	hex("9f02283b6c9c07efc26bb9f2ac92e356", want);
	assert_memory_equal(h.key, want, 16);
	hex("cf782b88dd83549aadf1e984", want);
	assert_memory_equal(h.iv, want, TLS_IV);
	assert_int_equal(ss_tls_suite(0x1302)->alg, TLS_AES_256_GCM);
	assert_null(ss_tls_suite(0x1304));
}

static void one_trace(struct tls_aead *a, size_t i, uint32_t part)
{
	uint8_t record[128], content[64], got[128], nonce[TLS_IV], tag[TLS_TAG];
	uint32_t n = hex(traces[i].record, record), len = 50;
	struct ss_bufq q;
	struct tls_half h;

	for (uint32_t k = 0; k < 50; k++)
		content[k] = (uint8_t)k;
	if (traces[i].content)
		len = hex(traces[i].content, content);
	content[len++] = traces[i].type;
	assert_int_equal(n, SS_TLSREC_HEADER + len + TLS_TAG);
	derive(&h, traces[i].client);
	h.seq = traces[i].seq;
	ss_tls_nonce(&h, nonce);
	struct tls_job job = { nonce, record, SS_TLSREC_HEADER, { NULL, 0, len }, record + n - TLS_TAG };
	job.part.m = chain(record + SS_TLSREC_HEADER, len, part, &q);
	assert_int_equal(ss_tls_aead_open(a, &h, &job), 0);
	ss_bufq_read(&q, 0, got, len);
	assert_memory_equal(got, content, len);
	ss_tls_aead_rest(a, &h);
	h.sealing = true;
	job.tag = tag;
	assert_int_equal(ss_tls_aead_seal(a, &h, &job), 0);
	ss_bufq_read(&q, 0, got, len);
	assert_memory_equal(got, record + SS_TLSREC_HEADER, len);
	assert_memory_equal(tag, record + n - TLS_TAG, TLS_TAG);
	ss_bufq_free(&q);
	ss_tls_aead_forget(a, &h);
}

static void test_rfc8448_records(void **state)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(traces); i++)
		for (uint32_t part = 1; part < 60; part++) {
			one_trace(evp, i, part);
			one_trace(mb, i, part);
		}
}

/* -- one backend against the other -- */

static void fill(struct ss_rng *r, uint8_t *p, uint32_t n)
{
	while (n--)
		*p++ = (uint8_t)ss_rng_u64(r);
}

/* other against evp */
static void cross(struct tls_aead *other, struct ss_rng *r, enum tls_alg alg)
{
	static uint8_t plain[SS_TLSREC_MAX_PLAIN + 1], sealed[SS_TLSREC_MAX_PLAIN + 1], got[SS_TLSREC_MAX_PLAIN + 1];
	uint8_t nonce[TLS_IV], aad[SS_TLSREC_HEADER], tag[TLS_TAG], tag2[TLS_TAG];
	uint32_t most = ss_rng_chance(r, 1, 8) ? sizeof(plain) : 600, n = 1 + ss_rng_below(r, most);
	uint32_t part = 1 + ss_rng_below(r, ss_rng_chance(r, 1, 2) ? 100 : 2000);
	struct tls_half seal = { .alg = (uint8_t)alg, .sealing = true }, seal2 = seal, open = { .alg = (uint8_t)alg };
	struct ss_bufq q;

	part = ss_max_u32(part, n / 100);
	fill(r, seal.key, TLS_KEY_MAX);
	memcpy(seal2.key, seal.key, TLS_KEY_MAX);
	memcpy(open.key, seal.key, TLS_KEY_MAX);
	fill(r, nonce, sizeof(nonce));
	fill(r, aad, sizeof(aad));
	fill(r, plain, n);
	struct tls_job job = { nonce, aad, sizeof(aad), { NULL, 0, n }, tag };
	job.part.m = chain(plain, n, part, &q);
	assert_int_equal(ss_tls_aead_seal(other, &seal, &job), 0);
	ss_bufq_read(&q, 0, sealed, n);
	ss_bufq_free(&q);
	job.tag = tag2;
	job.part.m = chain(plain, n, ss_max_u32(1 + ss_rng_below(r, 2000), n / 100), &q);
	assert_int_equal(ss_tls_aead_seal(evp, &seal2, &job), 0);
	ss_bufq_read(&q, 0, got, n);
	assert_memory_equal(got, sealed, n);
	assert_memory_equal(tag, tag2, TLS_TAG);
	/* The other way round, and once more with one bit of anything changed. */
	struct tls_aead *reader = ss_rng_chance(r, 1, 2) ? other : evp;
	assert_int_equal(ss_tls_aead_open(reader, &open, &job), 0);
	ss_bufq_read(&q, 0, got, n);
	assert_memory_equal(got, plain, n);
	ss_bufq_free(&q);
	uint32_t bit = ss_rng_below(r, (n + TLS_TAG + TLS_IV + sizeof(aad)) * 8), at = bit / 8;
	uint8_t *hit = at < n ? sealed + at : at < n + TLS_TAG ? tag2 + at - n :
		       at < n + TLS_TAG + TLS_IV ? nonce + at - n - TLS_TAG : aad + at - n - TLS_TAG - TLS_IV;
	*hit ^= (uint8_t)(1 << bit % 8);
	job.part.m = chain(sealed, n, part, &q);
	assert_int_equal(ss_tls_aead_open(reader, &open, &job), SS_ERR_BAD_TLS);
	ss_bufq_free(&q);
	ss_tls_aead_forget(other, &seal);
	ss_tls_aead_forget(evp, &seal2);
	ss_tls_aead_forget(reader, &open);
}

static void test_backends_agree(void **state)
{
	struct ss_rng r;

	ss_rng_seed(&r, 77);
	print_message("%s and %s against %s\n", mb->ops->name, dev->ops->name, evp->ops->name);
	for (int i = 0; i < 6000; i++)
		cross(i & 2 ? mb : dev, &r, i & 1 ? TLS_AES_128_GCM : TLS_AES_256_GCM);
}

/* More connections than expanded keys: each is right whenever its turn comes. */
static void test_keys_come_and_go(void **state)
{
	struct tls_half h[12] = { 0 };
	struct tls_aead *a;
	struct ss_rng r;

	ss_rng_seed(&r, 3);
	const struct tls_aead_ops *each[] = { evp->ops, mb->ops, dev->ops };

	if (dev != evp) /* its queue has one user */
		ss_tls_aead_free(dev);
	for (size_t which = 0; which < SS_ARRAY_LEN(each); which++) {
		assert_int_equal(ss_tls_aead_create(&a, each[which], &place, 4), 0);
		for (size_t i = 0; i < SS_ARRAY_LEN(h); i++) {
			h[i] = (struct tls_half){ .alg = i & 1 ? TLS_AES_128_GCM : TLS_AES_256_GCM, .sealing = true };
			memset(h[i].key, (int)i + 1, TLS_KEY_MAX);
		}
		for (int i = 0; i < 500; i++) {
			struct tls_half *one = &h[ss_rng_below(&r, SS_ARRAY_LEN(h))], open = *one;
			uint8_t nonce[TLS_IV] = { 1 }, tag[TLS_TAG], byte;
			struct tls_job job = { nonce, nonce, 5, { NULL, 0, 1 }, tag };
			struct ss_bufq q;

			open.slot = NULL;
			open.sealing = false;
			job.part.m = chain((const uint8_t *)"x", 1, 1, &q);
			assert_int_equal(ss_tls_aead_seal(a, one, &job), 0);
			assert_int_equal(ss_tls_aead_open(evp, &open, &job), 0);
			ss_bufq_read(&q, 0, &byte, 1);
			assert_int_equal(byte, 'x');
			ss_bufq_free(&q);
			ss_tls_aead_forget(evp, &open);
			if (ss_rng_chance(&r, 1, 10))
				ss_tls_aead_rest(a, one);
		}
		for (size_t i = 0; i < SS_ARRAY_LEN(h); i++)
			ss_tls_aead_forget(a, &h[i]);
		ss_tls_aead_free(a);
	}
	dev = evp;
}

static bool holds(const struct tls_aead *a, const uint8_t key[16])
{
	for (size_t i = 0; i + 16 <= a->n * a->stride; i++)
		if (memcmp(a->slots + i, key, 16) == 0)
			return true;
	return false;
}

/* A key's first sixteen bytes begin its expanded form (FIPS 197 5.2): where they are not, it is not. */
static void test_keys_are_wiped(void **state)
{
	struct tls_half h[3] = { 0 };
	struct tls_aead *a;

	if (mb == evp)
		skip(); /* whose keys are OpenSSL's to wipe */
	assert_int_equal(ss_tls_aead_create(&a, mb->ops, &place, 2), 0);
	for (size_t i = 0; i < SS_ARRAY_LEN(h); i++) {
		uint8_t nonce[TLS_IV] = { 1 }, tag[TLS_TAG];
		struct tls_job job = { nonce, nonce, 5, { NULL, 0, 1 }, tag };
		struct ss_bufq q;

		h[i] = (struct tls_half){ .alg = i == 0 ? TLS_AES_256_GCM : TLS_AES_128_GCM, .sealing = true };
		memset(h[i].key, 0x31 + (int)i, TLS_KEY_MAX);
		job.part.m = chain((const uint8_t *)"x", 1, 1, &q);
		assert_int_equal(ss_tls_aead_seal(a, &h[i], &job), 0);
		ss_bufq_free(&q);
		assert_true(holds(a, h[i].key));
	}
	/* There are two places: the third took the first one's. */
	assert_null(h[0].slot);
	assert_false(holds(a, h[0].key));
	ss_tls_aead_rest(a, &h[1]);
	assert_false(holds(a, h[1].key));
	assert_int_equal(a->held, 1);
	assert_true(ss_tls_aead_sweep(a)); /* the first pass only looks: it began after this one's last record */
	assert_true(holds(a, h[2].key));
	assert_true(ss_tls_aead_sweep(a));
	assert_false(holds(a, h[2].key));
	assert_null(h[2].slot);
	assert_int_equal(a->held, 0);
	ss_tls_aead_free(a);
}

/* A pass gives up a few at a time, and none that has worked meanwhile. */
static void test_a_pass_is_done_in_parts(void **state)
{
	struct tls_half h[80] = { 0 };
	struct tls_aead *a;
	int calls = 1;

	assert_int_equal(ss_tls_aead_create(&a, evp->ops, &place, SS_ARRAY_LEN(h)), 0);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < SS_ARRAY_LEN(h); i += round ? 16 : 1) {
			uint8_t nonce[TLS_IV] = { 1 }, tag[TLS_TAG];
			struct tls_job job = { nonce, nonce, 5, { NULL, 0, 1 }, tag };
			struct ss_bufq q;

			h[i].sealing = true;
			job.part.m = chain((const uint8_t *)"x", 1, 1, &q);
			assert_int_equal(ss_tls_aead_seal(a, &h[i], &job), 0);
			ss_bufq_free(&q);
		}
		if (round == 0)
			assert_true(ss_tls_aead_sweep(a));
	}
	while (!ss_tls_aead_sweep(a))
		calls++;
	assert_int_equal(calls, 3);
	assert_int_equal(a->held, 5);
	for (size_t i = 0; i < SS_ARRAY_LEN(h); i++)
		assert_int_equal(h[i].slot != NULL, i % 16 == 0);
	for (size_t i = 0; i < SS_ARRAY_LEN(h); i++)
		ss_tls_aead_forget(a, &h[i]);
	assert_int_equal(a->held, 0);
	ss_tls_aead_free(a);
}

/* What cannot do it is refused by name; nothing is left of it. */
static void test_wrong_devices(void **state)
{
	struct ss_tls_device *d;
	char err[256];

	assert_int_equal(ss_tls_device_open(&d, "crypto_nobody_has", 1, 0, err, sizeof(err)), SS_ERR_CONFIG);
	assert_non_null(strstr(err, "tls.crypto_device: there is no crypto device \"crypto_nobody_has\""));
	assert_int_equal(ss_tls_device_open(&d, "crypto_null", 1, 0, err, sizeof(err)), SS_ERR_CONFIG);
	assert_non_null(strstr(err, "\"crypto_null\" (crypto_null) lacks AES-128-GCM"));
	assert_null(d);
	assert_int_equal(ss_tls_device_open(&d, "crypto_null", 1, 0, err, sizeof(err)), SS_ERR_CONFIG);
	assert_non_null(strstr(err, "lacks"));
}

static int setup(void **s)
{
	pool = ss_testpool_create("tls_aead", 511);
	if (ss_tls_aead_create(&evp, &ss_tls_evp_ops, &place, 8) < 0)
		return -1;
	mb = dev = evp;
#ifdef SS_HAVE_IPSEC_MB
	char err[256];

	if (ss_tls_aead_create(&mb, &ss_tls_mb_ops, &place, 8) < 0)
		mb = evp;
	if (ss_tls_device_open(&place.device, "crypto_aesni_gcm", 1, 0, err, sizeof(err)) < 0) {
		print_message("%s\n", err);
		return -1;
	}
	if (ss_tls_aead_create(&dev, &ss_tls_device_ops, &place, 8) < 0)
		return -1;
#endif
	return 0;
}

static int teardown(void **s)
{
	int left = (int)ss_testpool_used(&pool);

	if (mb != evp)
		ss_tls_aead_free(mb);
	ss_tls_aead_free(evp);
	ss_tls_device_close(place.device);
	ss_testpool_free(&pool);
	return left;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gcm_vectors),    cmocka_unit_test(test_chacha_vector),
		cmocka_unit_test(test_rfc8448_keys),   cmocka_unit_test(test_rfc8448_records),
		cmocka_unit_test(test_backends_agree), cmocka_unit_test(test_keys_come_and_go),
		cmocka_unit_test(test_keys_are_wiped), cmocka_unit_test(test_a_pass_is_done_in_parts),
		cmocka_unit_test(test_wrong_devices),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
