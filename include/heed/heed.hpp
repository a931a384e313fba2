// heed: attention. Everything public.
#pragma once

#include <heed/attend.hpp>
#include <heed/available.hpp>
#include <heed/catalogue.hpp>
#include <heed/census.hpp>
#include <heed/check.hpp>
#include <heed/draw.hpp>
#include <heed/error.hpp>
#include <heed/expression.hpp>
#include <heed/inputs.hpp>
#include <heed/limits.hpp>
#include <heed/masks.hpp>
#include <heed/merge.hpp>
#include <heed/outputs.hpp>
#include <heed/plan.hpp>
#include <heed/problem.hpp>
#include <heed/scores.hpp>
#include <heed/spelling.hpp>
#include <heed/tensor.hpp>
#include <heed/units.hpp>
#include <heed/version.hpp>
#include <heed/watch.hpp>
