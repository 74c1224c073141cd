/* dssr-upscale: the drawing of the comparison.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dssr-upscale.h"

#include <string.h>

#define ZOOM 4 /* of the detail */
#define GAP 4  /* between the parts, in pixels */

/* RGBA in memory. */
#define WHITE 0xffffffffu
#define BLACK 0xff000000u
#define YELLOW 0xff00d7ffu

typedef struct {
  guint32 *pixels;
  int stride; /* in pixels */
  int width, height;
} Canvas;

typedef struct {
  int x, y, width, height;
} Area;

static Canvas
canvas_of_frame (const GstVideoFrame *frame)
{
  return (Canvas){GST_VIDEO_FRAME_PLANE_DATA (frame, 0),
      GST_VIDEO_FRAME_PLANE_STRIDE (frame, 0) / 4,
      GST_VIDEO_FRAME_WIDTH (frame), GST_VIDEO_FRAME_HEIGHT (frame)};
}

static void
fill (Canvas *canvas, Area area, guint32 colour)
{
  int right = MIN (area.x + area.width, canvas->width);
  int bottom = MIN (area.y + area.height, canvas->height);
  for (int y = MAX (area.y, 0); y < bottom; y++)
    for (int x = MAX (area.x, 0); x < right; x++)
      canvas->pixels[y * canvas->stride + x] = colour;
}

static void
outline (Canvas *canvas, Area area, int width)
{
  int x = area.x, y = area.y, w = area.width, h = area.height;
  fill (canvas, (Area){x - width, y - width, w + 2 * width, width}, YELLOW);
  fill (canvas, (Area){x - width, y + h, w + 2 * width, width}, YELLOW);
  fill (canvas, (Area){x - width, y, width, h}, YELLOW);
  fill (canvas, (Area){x + w, y, width, h}, YELLOW);
}

/* Copies an area, each pixel as a square of zoom x zoom. */
static void
copy (Canvas *to, int to_x, int to_y, const Canvas *from, Area area, int zoom)
{
  for (int y = 0; y < area.height * zoom; y++)
    for (int x = 0; x < area.width * zoom; x++)
      to->pixels[(to_y + y) * to->stride + to_x + x] =
          from->pixels[(area.y + y / zoom) * from->stride + area.x + x / zoom];
}

/* ---- Labels ---- */

/* Letters of 5 x 7 dots, a byte for a row, the leftmost dot in bit 4. */
static const struct {
  char letter;
  guint8 rows[7];
} font[] = {
    {'b', {0x10, 0x10, 0x16, 0x19, 0x11, 0x11, 0x1e}},
    {'c', {0x00, 0x00, 0x0e, 0x10, 0x10, 0x11, 0x0e}},
    {'d', {0x01, 0x01, 0x0d, 0x13, 0x11, 0x11, 0x0f}},
    {'i', {0x04, 0x00, 0x0c, 0x04, 0x04, 0x04, 0x0e}},
    {'r', {0x00, 0x00, 0x16, 0x19, 0x10, 0x10, 0x10}},
    {'s', {0x00, 0x00, 0x0e, 0x10, 0x0e, 0x01, 0x1e}},
    {'u', {0x00, 0x00, 0x11, 0x11, 0x11, 0x13, 0x0d}},
    {'x', {0x00, 0x00, 0x11, 0x0a, 0x04, 0x0a, 0x11}},
    {'2', {0x0e, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1f}},
    {'4', {0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02}},
};

static void
draw_letter (Canvas *canvas, int x, int y, char letter, int dot)
{
  for (guint i = 0; i < G_N_ELEMENTS (font); i++)
    for (int bit = 0; font[i].letter == letter && bit < 35; bit++)
      if (font[i].rows[bit / 5] >> (4 - bit % 5) & 1)
        fill (canvas, (Area){x + bit % 5 * dot, y + bit / 5 * dot, dot, dot},
            WHITE);
}

/* White on a black plate; its upper left corner is (x, y). */
static void
draw_label (Canvas *canvas, int x, int y, const char *text)
{
  int dot = MAX (canvas->width / 480, 1);
  int length = (int)strlen (text);
  fill (canvas, (Area){x, y, (6 * length + 5) * dot, 13 * dot}, BLACK);
  for (int i = 0; i < length; i++)
    draw_letter (canvas, x + (3 + 6 * i) * dot, y + 3 * dot, text[i], dot);
}

/* ---- Detail ---- */

static guint64
energy (const Canvas *canvas, Area area)
{
  guint64 sum = 0;
  for (int y = area.y; y + 2 < area.y + area.height; y += 2) {
    const guint32 *row = canvas->pixels + y * canvas->stride;
    for (int x = area.x; x + 2 < area.x + area.width; x += 2) {
      int green = row[x] >> 8 & 0xff;
      sum += ABS (green - (int)(row[x + 2] >> 8 & 0xff))
             + ABS (green - (int)(row[x + 2 * canvas->stride] >> 8 & 0xff));
    }
  }
  return sum;
}

/* Where the picture changes most from pixel to pixel. */
static Area
find_detail (const Canvas *canvas, int width, int height)
{
  Area best = {0, 0, width, height};
  guint64 most = 0;
  int step_x = MAX (width / 4, 1), step_y = MAX (height / 4, 1);
  for (int y = 0; y + height <= canvas->height; y += step_y)
    for (int x = 0; x + width <= canvas->width; x += step_x) {
      Area area = {x, y, width, height};
      guint64 found = energy (canvas, area);
      if (found > most) {
        most = found;
        best = area;
      }
    }
  return best;
}

GstSample *
upscale_picture_compose (
    const GstVideoFrame *bicubic, const GstVideoFrame *ours, const char *label)
{
  Canvas left = canvas_of_frame (bicubic);
  Canvas right = canvas_of_frame (ours);
  int width = left.width, height = left.height, middle = width / 2;
  Area detail = find_detail (
      &left, MAX ((middle - GAP / 2) / ZOOM, 1), MAX (height / 2 / ZOOM, 1));
  int top = height + GAP;

  GstVideoInfo info;
  gst_video_info_set_format (
      &info, GST_VIDEO_FORMAT_RGBA, width, top + detail.height * ZOOM);
  g_autoptr (GstBuffer) buffer =
      gst_buffer_new_allocate (NULL, GST_VIDEO_INFO_SIZE (&info), NULL);
  GstVideoFrame frame;
  if (!gst_video_frame_map (&frame, &info, buffer, GST_MAP_READWRITE))
    return NULL;
  Canvas canvas = canvas_of_frame (&frame);
  fill (&canvas, (Area){0, 0, canvas.width, canvas.height}, WHITE);
  copy (&canvas, 0, 0, &left, (Area){0, 0, middle, height}, 1);
  copy (
      &canvas, middle, 0, &right, (Area){middle, 0, width - middle, height}, 1);
  outline (&canvas, detail, MAX (width / 640, 1));
  fill (&canvas, (Area){middle - 1, 0, 2, height + GAP}, WHITE);
  copy (&canvas, 0, top, &left, detail, ZOOM);
  copy (&canvas, width - detail.width * ZOOM, top, &right, detail, ZOOM);
  draw_label (&canvas, 0, top, "bicubic");
  draw_label (&canvas, width - detail.width * ZOOM, top, label);
  gst_video_frame_unmap (&frame);

  g_autoptr (GstCaps) caps = gst_video_info_to_caps (&info);
  return gst_sample_new (buffer, caps, NULL, NULL);
}
