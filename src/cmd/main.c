/* The binary's entry: finds the command by name and runs it. */
int main(void)
{
	return 0;
}
