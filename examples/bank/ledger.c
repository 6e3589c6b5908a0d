/* The ledger: what every account holds. Everybody else depends on it, so it is the first of its supervisor's children. */
#include "theater.h"

STATE("record ledger { accounts: list<record account { owner: string, balance: u64 }> }")

INIT
{
    write_log("the ledger is open");
    return done(is_none(given) ? record(field("accounts", list_of(NULL, 0))) : given);
}

/* The owner's place among the accounts; as many as there are accounts if there is none. */
static uint32_t find(value accounts, const char *owner)
{
    uint32_t n = 0;
    while (n < length(accounts) && !same(as_text(get(item(accounts, n), "owner")), owner))
        n++;
    return n;
}

static uint64_t balance_at(value accounts, uint32_t place)
{
    return place < length(accounts) ? as_u64(get(item(accounts, place), "balance")) : 0;
}

/* The next ledger: the same accounts, with this balance in that place. Values never change, so it is a new list. */
static value with_balance(value accounts, uint32_t place, const char *owner, uint64_t balance)
{
    uint32_t count = length(accounts) + (place == length(accounts));
    value *next = scratch(count * sizeof *next);
    for (uint32_t n = 0; n < count; n++)
        next[n] = n == place ? record(field("owner", text(owner)), field("balance", u64(balance))) : item(accounts, n);
    return record(field("accounts", list_of(next, count)));
}

EXPORT(balance, "bank:example/ledger", "balance", "(owner: string) -> u64")
{
    value accounts = get(state, "accounts");
    return ok(state, u64(balance_at(accounts, find(accounts, as_text(param[0])))));
}

EXPORT(deposit, "bank:example/ledger", "deposit", "(owner: string, amount: u32) -> u64")
{
    value accounts = get(state, "accounts");
    const char *owner = as_text(param[0]);
    uint32_t place = find(accounts, owner);
    uint64_t sum = balance_at(accounts, place) + as_u32(param[1]);
    return ok(with_balance(accounts, place, owner, sum), u64(sum));
}

EXPORT(withdraw, "bank:example/ledger", "withdraw", "(owner: string, amount: u32) -> u64")
{
    value accounts = get(state, "accounts");
    const char *owner = as_text(param[0]);
    uint32_t place = find(accounts, owner), amount = as_u32(param[1]);
    uint64_t held = balance_at(accounts, place);
    if (held < amount)
        return fail(format("%s has %llu, which is less than %u", owner, held, amount));
    return ok(with_balance(accounts, place, owner, held - amount), u64(held - amount));
}

EXPORT(crash, "bank:example/ledger", "crash", "()")
{
    write_log("the ledger is about to crash, as asked");
    panic();
}
