/* A program that no preloaded library can enter: linked statically. */
int
main(void)
{
    return 0;
}
