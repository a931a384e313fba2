// heed: attention. Everything public.
#pragma once

#include <heed/attend.hpp>
#include <heed/catalogue.hpp>
#include <heed/census.hpp>
#include <heed/error.hpp>
#include <heed/formula.hpp>
#include <heed/masks.hpp>
#include <heed/plan.hpp>
#include <heed/problem.hpp>
#include <heed/scores.hpp>
#include <heed/tensor.hpp>
#include <heed/version.hpp>
