/* A V4L2 camera in place of the kernel's, loaded with LD_PRELOAD: enough of the interface for OpenCV
 * and our own ioctls.  It plays the frames of a file, one after the other, over a timer.
 *
 * STAND_IN_NODE     path that is the camera, such as /tmp/x/dev/video7
 * STAND_IN_FRAMES   file of frames, each of STAND_IN_BYTES
 * STAND_IN_FOURCC   of its one format
 * STAND_IN_SIZES    160x122,160x120
 * STAND_IN_MS       milliseconds from frame to frame
 * STAND_IN_END      after the last frame: stall, unplug, or loop
 * STAND_IN_XU       file of 512 bytes, unit 21: byte 4 * selector; writes are stored there
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/usb/video.h>
#include <linux/uvcvideo.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define BUFFERS 8
static int camera[16], cameras;          /* files that are open on the node */
static struct v4l2_pix_format format;
static unsigned char *memory[BUFFERS];
static int queued[BUFFERS], waiting, sequence, length, streaming;

static const char *setting(const char *name, const char *otherwise) {
    const char *value = getenv(name);
    return value ? value : otherwise;
}
static int is_node(const char *path) {
    const char *node = getenv("STAND_IN_NODE");
    return node && !strcmp(path, node);
}
static int is_camera(int file) {
    for (int i = 0; i < cameras; i++)
        if (camera[i] == file) return 1;
    return 0;
}
static int frames(void) {
    FILE *file = fopen(setting("STAND_IN_FRAMES", ""), "rb");
    if (!file) return 0;
    fseek(file, 0, SEEK_END);
    long bytes = ftell(file);
    fclose(file);
    return bytes / atoi(setting("STAND_IN_BYTES", "1"));
}
static int at_end(void) {
    return strcmp(setting("STAND_IN_END", "loop"), "loop") && sequence >= frames();
}
static int unplugged(void) { return at_end() && !strcmp(setting("STAND_IN_END", ""), "unplug"); }

static int any_open(const char *path, int flags, mode_t mode, const char *symbol) {
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, symbol);
    if (!is_node(path)) return real(path, flags, mode);
    int file = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    camera[cameras++ % 16] = file;
    if (cameras > 16) cameras = 16;
    return file;
}
#define OPENS(name) \
    int name(const char *path, int flags, ...) { \
        va_list rest; va_start(rest, flags); \
        mode_t mode = va_arg(rest, int); va_end(rest); \
        return any_open(path, flags, mode, #name); }
OPENS(open)
OPENS(open64)

int close(int file) {
    int (*real)(int) = dlsym(RTLD_NEXT, "close");
    for (int i = 0; i < cameras; i++)
        if (camera[i] == file) camera[i] = camera[--cameras];
    return real(file);
}

static void *any_mmap(void *at, size_t bytes, int guard, int flags, int file, off_t offset,
                      const char *symbol) {
    void *(*real)(void *, size_t, int, int, int, off_t) = dlsym(RTLD_NEXT, symbol);
    if (!is_camera(file)) return real(at, bytes, guard, flags, file, offset);
    int index = offset / 4096;
    return memory[index] = real(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                                -1, 0);
}
void *mmap(void *at, size_t bytes, int guard, int flags, int file, off_t offset) {
    return any_mmap(at, bytes, guard, flags, file, offset, "mmap");
}
void *mmap64(void *at, size_t bytes, int guard, int flags, int file, off64_t offset) {
    return any_mmap(at, bytes, guard, flags, file, offset, "mmap64");
}

int poll(struct pollfd *files, nfds_t count, int timeout) {
    int (*real)(struct pollfd *, nfds_t, int) = dlsym(RTLD_NEXT, "poll");
    if (count == 1 && is_camera(files[0].fd) && unplugged()) {
        files[0].revents = POLLERR | POLLHUP;
        return 1;
    }
    return real(files, count, timeout);
}
int __poll_chk(struct pollfd *files, nfds_t count, int timeout, size_t bytes) {
    (void)bytes;
    return poll(files, count, timeout);
}

static int fail(int number) { errno = number; return -1; }

static int size_at(unsigned index, unsigned *width, unsigned *height) {
    const char *text = setting("STAND_IN_SIZES", "160x120");
    while (index-- && text) { text = strchr(text, ','); text = text ? text + 1 : NULL; }
    return text && sscanf(text, "%ux%u", width, height) == 2;
}
static unsigned fourcc(void) {
    const char *text = setting("STAND_IN_FOURCC", "Y16 ");
    return v4l2_fourcc(text[0], text[1], text[2], text[3]);
}
static void choose(struct v4l2_pix_format *wanted) {
    unsigned width, height, found = 0, index = 0;
    while (size_at(index++, &width, &height))
        found |= width == wanted->width && height == wanted->height;
    if (!found) {
        size_at(0, &width, &height);
        wanted->width = width;
        wanted->height = height;
    }
    wanted->pixelformat = fourcc();
    wanted->bytesperline = 2 * wanted->width;
    wanted->sizeimage = wanted->bytesperline * wanted->height;
    wanted->field = V4L2_FIELD_NONE;
}

static int extension(struct uvc_xu_control_query *query) {
    unsigned char registers[512] = {0};
    if (query->unit != 21 || query->selector > 31) return fail(ENOENT);
    if (query->query == UVC_GET_LEN) {
        query->data[0] = 4;
        query->data[1] = 0;
        return 0;
    }
    if (query->size != 4) return fail(ENOBUFS);
    FILE *file = fopen(setting("STAND_IN_XU", ""), "r+b");
    if (!file) return fail(EIO);
    if (fread(registers, 1, sizeof registers, file) == 0) { fclose(file); return fail(EIO); }
    if (query->query == UVC_SET_CUR) {
        fseek(file, 4 * query->selector, SEEK_SET);
        fwrite(query->data, 1, 4, file);
    } else {
        memcpy(query->data, registers + 4 * query->selector, 4);
    }
    fclose(file);
    return 0;
}

static int dequeue(int file, struct v4l2_buffer *buffer) {
    unsigned long long ticks;
    if (unplugged()) return fail(ENODEV);
    if (at_end() || !streaming || read(file, &ticks, sizeof ticks) != sizeof ticks)
        return fail(EAGAIN);
    for (int index = 0; index < waiting; index++)
        if (queued[index]) {
            FILE *source = fopen(setting("STAND_IN_FRAMES", ""), "rb");
            int bytes = atoi(setting("STAND_IN_BYTES", "1"));
            fseek(source, (long)(sequence % frames()) * bytes, SEEK_SET);
            if (fread(memory[index], 1, bytes, source) == 0) return fail(EIO);
            fclose(source);
            struct timespec now;
            clock_gettime(CLOCK_MONOTONIC, &now);
            queued[index] = 0;
            buffer->index = index;
            buffer->bytesused = bytes;
            buffer->length = length;
            buffer->sequence = sequence++;
            buffer->timestamp.tv_sec = now.tv_sec;
            buffer->timestamp.tv_usec = now.tv_nsec / 1000;
            buffer->m.offset = 4096 * index;
            buffer->flags = V4L2_BUF_FLAG_DONE;
            if (at_end()) {
                struct itimerspec never = {0};
                if (!unplugged()) timerfd_settime(file, 0, &never, NULL);
            }
            return 0;
        }
    return fail(EAGAIN);
}

int ioctl(int file, unsigned long request, ...) {
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
    if (!is_camera(file)) return real(file, request, argument);
    if (unplugged()) return fail(ENODEV);
    switch ((unsigned)request) {
    case VIDIOC_QUERYCAP: {
        struct v4l2_capability *answer = argument;
        memset(answer, 0, sizeof *answer);
        answer->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        return 0;
    }
    case VIDIOC_ENUM_FMT: {
        struct v4l2_fmtdesc *answer = argument;
        answer->pixelformat = fourcc();
        return answer->index ? fail(EINVAL) : 0;
    }
    case VIDIOC_ENUM_FRAMESIZES: {
        struct v4l2_frmsizeenum *answer = argument;
        answer->type = V4L2_FRMSIZE_TYPE_DISCRETE;
        return size_at(answer->index, &answer->discrete.width, &answer->discrete.height)
                   ? 0 : fail(EINVAL);
    }
    case VIDIOC_ENUM_FRAMEINTERVALS: {
        struct v4l2_frmivalenum *answer = argument;
        answer->type = V4L2_FRMIVAL_TYPE_DISCRETE;
        answer->discrete.numerator = atoi(setting("STAND_IN_MS", "100"));
        answer->discrete.denominator = 1000;
        return answer->index ? fail(EINVAL) : 0;
    }
    case VIDIOC_G_FMT:
        if (!format.width) choose(&format);
        ((struct v4l2_format *)argument)->fmt.pix = format;
        return 0;
    case VIDIOC_S_FMT:
        choose(&((struct v4l2_format *)argument)->fmt.pix);
        format = ((struct v4l2_format *)argument)->fmt.pix;
        return 0;
    case VIDIOC_S_PARM:
    case VIDIOC_G_PARM: {
        struct v4l2_streamparm *answer = argument;
        answer->parm.capture.timeperframe.numerator = atoi(setting("STAND_IN_MS", "100"));
        answer->parm.capture.timeperframe.denominator = 1000;
        return 0;
    }
    case VIDIOC_REQBUFS:
        waiting = ((struct v4l2_requestbuffers *)argument)->count;
        memset(queued, 0, sizeof queued);
        return 0;
    case VIDIOC_QUERYBUF: {
        struct v4l2_buffer *answer = argument;
        answer->length = length = (format.sizeimage + 4095) / 4096 * 4096;
        answer->m.offset = 4096 * answer->index;
        return 0;
    }
    case VIDIOC_QBUF:
        queued[((struct v4l2_buffer *)argument)->index] = 1;
        return 0;
    case VIDIOC_DQBUF:
        return dequeue(file, argument);
    case VIDIOC_STREAMON: {
        long nanoseconds = atol(setting("STAND_IN_MS", "100")) * 1000000;
        struct itimerspec period = {{0, nanoseconds}, {0, nanoseconds}};
        streaming = 1;
        if (!frames()) return 0;
        return timerfd_settime(file, 0, &period, NULL);
    }
    case VIDIOC_STREAMOFF:
        streaming = 0;
        return 0;
    case UVCIOC_CTRL_QUERY:
        return extension(argument);
    }
    return fail(ENOTTY);
}
