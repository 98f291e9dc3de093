/* What a probe was called for: cookie, arguments, result. The world of the run says. */
#include "helper/helpers.h"

DEFINE_HELPER(get_attach_cookie)
{
	return run->world ? run->world->attach_cookie : 0;
}

DEFINE_HELPER(get_func_ip)
{
	return run->world ? run->world->func_ip : 0;
}

DEFINE_HELPER(get_func_arg_cnt)
{
	return run->world ? run->world->n_func_args : 0;
}

DEFINE_HELPER(get_func_arg)
{
	uint64_t *to = ptr_of(r3);

	if (!run->world || (uint32_t)r2 >= run->world->n_func_args)
		return as_r0(-EINVAL);
	*to = run->world->func_args[(uint32_t)r2];
	return 0;
}

/* Behind the arguments. */
DEFINE_HELPER(get_func_ret)
{
	uint64_t *to = ptr_of(r2);

	if (!run->world || !run->world->func_args)
		return as_r0(-EOPNOTSUPP);
	*to = run->world->func_args[run->world->n_func_args];
	return 0;
}

DEFINE_HELPER(get_retval)
{
	return as_r0(run->world ? run->world->retval : 0);
}

/* Zero and errors, which lie in [-4095, 0]. */
DEFINE_HELPER(set_retval)
{
	if (run->world)
		run->world->retval = (int32_t)r1;
	return 0;
}

DEFINE_HELPER(override_return)
{
	if (!run->world)
		return as_r0(-EOPNOTSUPP);
	run->world->overridden = true;
	run->world->override_value = r2;
	return 0;
}
