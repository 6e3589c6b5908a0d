/* Memory and text: what the other parts stand on.
 *
 * Two allocators. Blocks live until they are freed: sizes are rounded up to a power of two, and each size has a list of
 * free blocks. No header is needed because whoever frees a block tells its length (that is the ABI). Scratch memory
 * is cut from blocks that are all given back when the call is answered.
 */
#define THEATER_PAGE 65536u
#define THEATER_CHUNK 4096u
#define THEATER_BLOCK_MAX (1u << 30)

#ifdef __wasi__
#include <stdlib.h>
#else
extern unsigned char __heap_base;
static uintptr_t theater_brk;               /* where never-used memory begins; 0 before the first allocation */
#endif
static void *theater_free_blocks[32];       /* by the power of two */

static uint32_t theater_power(uint32_t size)
{
    return size <= 16 ? 4 : 32 - (uint32_t)__builtin_clz(size - 1);
}

static void *theater_alloc(uint32_t size)
{
    if (size == 0 || size > THEATER_BLOCK_MAX)
        return NULL;
    uint32_t power = theater_power(size);
    void *block = theater_free_blocks[power];
    if (block) {
        theater_free_blocks[power] = *(void **)block;
        return block;
    }
#ifdef __wasi__  /* with a C library all memory that was never used belongs to its malloc */
    return malloc((size_t)1 << power);
#else
    if (!theater_brk)
        theater_brk = ((uintptr_t)&__heap_base + 15) & ~(uintptr_t)15;
    uint64_t end = (uint64_t)theater_brk + (1u << power);
    uint64_t have = (uint64_t)__builtin_wasm_memory_size(0) * THEATER_PAGE;
    uint64_t missing = end > have ? (end - have + THEATER_PAGE - 1) / THEATER_PAGE : 0;
    if (missing && __builtin_wasm_memory_grow(0, (size_t)missing) == (size_t)-1)
        return NULL;
    block = (void *)theater_brk;
    theater_brk = (uintptr_t)end;
    return block;
#endif
}

static void theater_free(void *block, uint32_t size)
{
    if (!block || size == 0 || size > THEATER_BLOCK_MAX)
        return;
    uint32_t power = theater_power(size);
    *(void **)block = theater_free_blocks[power];
    theater_free_blocks[power] = block;
}

__attribute__((export_name("__pack_alloc"))) void *theater_pack_alloc(int32_t size)
{
    return size > 0 ? theater_alloc((uint32_t)size) : NULL;
}

__attribute__((export_name("__pack_free"))) void theater_pack_free(void *block, int32_t size)
{
    theater_free(block, (uint32_t)size);
}

/* Memory that is kept for good: out of memory is a panic here and below, never an answer. */
static void *theater_keep(uint32_t size)
{
    void *block = theater_alloc(size ? size : 1);
    if (!block)
        panic();
    __builtin_memset(block, 0, size);
    return block;
}

struct theater_chunk {
    struct theater_chunk *next;
    uint32_t size, used;
    _Alignas(8) uint8_t room[];
};
static struct theater_chunk *theater_chunks;  /* the newest first; only that one has room */

static void *scratch(uint32_t size)
{
    struct theater_chunk *chunk = theater_chunks;
    if (size > THEATER_BLOCK_MAX / 2)
        panic();
    size = (size + 7) & ~7u;
    if (!chunk || chunk->size - chunk->used < size) {
        uint32_t whole = size + (uint32_t)sizeof *chunk;
        whole = whole > THEATER_CHUNK ? whole : THEATER_CHUNK;
        chunk = theater_keep(whole);
        *chunk = (struct theater_chunk){.next = theater_chunks, .size = whole - (uint32_t)sizeof *chunk};
        theater_chunks = chunk;
    }
    void *block = chunk->room + chunk->used;
    chunk->used += size;
    return __builtin_memset(block, 0, size);
}

static void theater_sweep(void)
{
    while (theater_chunks) {
        struct theater_chunk *chunk = theater_chunks;
        theater_chunks = chunk->next;
        theater_free(chunk, chunk->size + (uint32_t)sizeof *chunk);
    }
}

static uint32_t theater_strlen(const char *it)
{
    uint32_t size = 0;
    while (it[size])
        size++;
    return size;
}

static bool theater_equal(const void *one, const void *other, uint32_t size)
{
    const uint8_t *a = one, *b = other;
    while (size && *a == *b)
        a++, b++, size--;
    return size == 0;
}

static int theater_order(const char *one, const char *other)  /* as strcmp */
{
    while (*one && *one == *other)
        one++, other++;
    return (unsigned char)*one - (unsigned char)*other;
}

static bool same(const char *one, const char *other)
{
    return theater_order(one, other) == 0;
}

static uint8_t *theater_copy(const void *at, uint32_t size)
{
    return __builtin_memcpy(scratch(size), at, size);
}

static const char *theater_text(const void *at, uint32_t size)  /* a copy that ends with a zero byte */
{
    char *copy = scratch(size + 1);
    __builtin_memcpy(copy, at, size);
    return copy;
}

static char *theater_digits(char *end, uint64_t number)
{
    do
        *--end = (char)('0' + number % 10);
    while (number /= 10);
    return end;
}

static const char *format(const char *pattern, ...)
{
    char *out = NULL;
    uint32_t size = 0;
    for (int pass = 0; pass < 2; pass++) {  /* the first pass measures, the second writes */
        va_list arguments;
        va_start(arguments, pattern);
        uint32_t used = 0;
        for (const char *at = pattern; *at; at++) {
            char number[24] = {0}, *end = number + 23;
            const char *piece = at;
            uint32_t width = 1;
            if (*at == '%' && *++at != '%') {
                bool wide = at[0] == 'l' && at[1] == 'l';
                at += wide ? 2 : 0;
                if (*at == 's') {
                    piece = va_arg(arguments, const char *);
                } else if (*at == 'u') {
                    piece = theater_digits(end, wide ? va_arg(arguments, uint64_t) : va_arg(arguments, uint32_t));
                } else if (*at == 'd') {
                    int64_t it = wide ? va_arg(arguments, int64_t) : va_arg(arguments, int32_t);
                    char *start = theater_digits(end, it < 0 ? -(uint64_t)it : (uint64_t)it);
                    if (it < 0)
                        *--start = '-';
                    piece = start;
                } else {
                    panic();
                }
                width = theater_strlen(piece);
            }
            if (out)
                __builtin_memcpy(out + used, piece, width);
            used += width;
        }
        va_end(arguments);
        if (!out)
            out = scratch((size = used) + 1);
    }
    return out;
}

