/* The symbol is there, and is a function. */
int reheap_plugin(void);

int
reheap_plugin(void)
{
    return 1;
}
