#include "trace/target.h"

#include "linux/choice.h"
#include "linux/feature.h"

struct skep_ir_target skep_trace_target(void)
{
	/* the newest first: who has it need not be asked for the others */
	bool may_goto = skep_has_feature(SKEP_FEATURE_MAY_GOTO);

	return (struct skep_ir_target){
		.may_goto = may_goto,
		.isa_v4 = skep_has_feature(SKEP_FEATURE_ISA_V4),
		.no_fetch = !skep_has_best_way(SKEP_FOR_SCRATCH),
		.loop_limit = 100000,
	};
}
