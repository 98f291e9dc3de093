/*
 * unwind-lazy: waits for ever below the loader's trampoline, which binds a function when it is
 * first called: this one's address is what its library then takes its time to tell. One frame
 * between them has saved what the trampoline goes by.
 */
int lazily_bound(int n);

int main(int argc, char **argv)
{
	return lazily_bound(argc) + argc;
}
