// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The host lacks memory: page tables of VMs go, and come again as guests touch their memory.
 *
 * VMs are asked one after the other, by number, each for some of its tables; the next call goes on with the next. How many tables there are is
 * counted where they come and go, so that neither asking nor counting costs more for having more VMs.
 */
#include "shrinker.h"
#include "compat.h"
#include "debugfs.h"
#include <linux/percpu.h>
#include <linux/sched.h>

DEFINE_PER_CPU(long, lkx_tables);

static struct shrinker *shrinker; /* [I] after lkx_shrinker_init */
static unsigned long next_id;     /* of the VM that is asked next; two callers at once may ask the same */

static unsigned long count_tables(struct shrinker *s, struct shrink_control *sc)
{
	long sum = 0;
	int cpu;

	/* A table may go on another CPU than it came. */
	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(lkx_tables, cpu));
	return max(sum, 0L);
}

/*
 * How many tables the VM from *id on gave back; -1 where there is none. RCU keeps its struct, its lock the rest of it: who ends it takes it off
 * the list, then the lock. Nothing waits here but for CPUs to leave guest mode, and for another who asks the same VM.
 */
static long ask_one(unsigned long *id)
{
	struct linux_vm *vm;
	long freed = -1;

	rcu_read_lock();
	vm = lkx_debugfs_find(id);
	if (vm) {
		unsigned long again = *id;

		spin_lock(&vm->reclaim_lock);
		freed = lkx_debugfs_find(&again) == vm ? lkx_ept_reclaim(&vm->core) : 0;
		spin_unlock(&vm->reclaim_lock);
	}
	rcu_read_unlock();
	return freed;
}

static unsigned long free_tables(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long id = READ_ONCE(next_id), freed = 0, asked = 0;
	bool around = false;

	/* A VM that has nothing counts as one table: bounded work, whoever has the tables. */
	while (asked + freed < sc->nr_to_scan) {
		long n = ask_one(&id);

		if (n < 0 && around)
			break;
		around |= n < 0;
		id = n < 0 ? 0 : id + 1;
		freed += max(n, 0L);
		asked += !n;
		WRITE_ONCE(next_id, id);
		cond_resched();
	}
	sc->nr_scanned = asked + freed;
	return freed || !around ? freed : SHRINK_STOP;
}

int lkx_shrinker_init(void)
{
	shrinker = lkx_shrinker_alloc();
	if (!shrinker)
		return -ENOMEM;
	shrinker->count_objects = count_tables;
	shrinker->scan_objects = free_tables;
	shrinker->seeks = DEFAULT_SEEKS;
	return lkx_shrinker_register(shrinker);
}

void lkx_shrinker_exit(void)
{
	lkx_shrinker_free(shrinker);
}
