/* A library that needs what nobody has. */
int nobody_has_this(void);
int reheap_plugin(void);

int
reheap_plugin(void)
{
    return nobody_has_this();
}
